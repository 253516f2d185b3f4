// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
)

// soakVariable is the environment variable that extends the duration of the healthy traffic, such as 30m.
const soakVariable = "OTELCOL_EBPF_SOAK"

func soakTime(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv(soakVariable)
	switch {
	case text == "" && testing.Short():
		return 20 * time.Second
	case text == "":
		return 45 * time.Second
	}
	d, err := time.ParseDuration(text)
	require.NoError(t, err, soakVariable)
	return d
}

// Ports of intended drops.
const (
	filteredPort = 7901
	fullPort     = 7902
)

// Traffic of many kinds at once without losses: no drop is reported except those that the kernel itself counts as losses.
func TestPacketDropsOfHealthyTraffic(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, "exclude: {self: false}\nprograms: {packet_drop: {event_limit: 1000000}}")
	h := newHealthy(t)
	rule := h.right.AddFilter(t, testnet.Filter{Hook: testnet.Input, Protocol: unix.IPPROTO_UDP, Port: filteredPort})
	before := h.counters(t)
	h.run(t, soakTime(t), os.Getenv(soakVariable) != "")
	r.Settle(t)
	after := h.counters(t)
	grown := func(names ...string) (sum int) {
		for _, name := range names {
			sum += after[name] - before[name]
		}
		return sum
	}

	to := func(port int64) testreceiver.Match { return testreceiver.With("destination.port", port) }
	drops := r.Events.Matching(testreceiver.Named(dropEvent), testreceiver.InNamespace(h.namespaces()...))
	kinds := map[string]int{}
	var others int
	for _, e := range drops {
		if to(filteredPort)(e) || to(fullPort)(e) || !kernelSays().receiver && (!lossOf(e) || withFlags("psh", "ack")(e)) {
			continue // older kernels do not mark repeated data
		}
		others++
		kinds[fmt.Sprint(e.Attributes[reasonKey], " in ", e.Attributes[locationKey], " of ", e.Attributes["network.transport"], " ",
			e.Attributes[flagsKey], " to ", e.Attributes["destination.address"])]++
	}
	// What TCP itself counts as lost for lack of memory or time, as on a busy machine.
	counted := grown("TCPBacklogDrop", "TCPRcvQDrop", "OfoPruned", "RcvPruned", "PruneCalled", "TCPZeroWindowDrop", "ListenDrops", "TCPAbortOnData")
	assert.LessOrEqual(t, others, counted, "%v", kinds)
	reported := func(port int64) int {
		return len(r.Events.Matching(testreceiver.Named(dropEvent), to(port), testreceiver.InNamespace(h.right)))
	}
	assert.Equal(t, rule.Packets(t), reported(filteredPort))
	assert.Equal(t, grown("UdpRcvbufErrors", "Udp6RcvbufErrors"), reported(fullPort))
	assert.Positive(t, rule.Packets(t))
	assert.Positive(t, grown("UdpRcvbufErrors"))
	segments := grown("TcpInSegs")
	assert.Greater(t, segments, 1000)
	t.Logf("%d segments, %d rounds, %d drops on purpose; counted by TCP as lost: %d, reported: %d %v", segments, h.rounds.Load(), len(drops)-others, counted, others, kinds)
}

// healthy is traffic between two namespaces joined by a link, and between two bridges.
type healthy struct {
	left, right *testnet.Namespace
	bridged     []*testnet.Namespace
	rounds      atomic.Int64
	workers     []func(stop <-chan struct{})
}

// counters returns the kernel's own counters, summed over all namespaces.
func (h *healthy) counters(t *testing.T) map[string]int {
	t.Helper()
	sums := map[string]int{}
	for _, ns := range h.namespaces() {
		for _, file := range []string{"snmp", "netstat", "snmp6"} {
			var text []byte
			require.NoError(t, ns.Run(func() (err error) {
				text, err = os.ReadFile("/proc/thread-self/net/" + file)
				return err
			}))
			if file == "snmp6" {
				for line := range strings.Lines(string(text)) {
					if f := strings.Fields(line); len(f) == 2 {
						value, _ := strconv.Atoi(f[1])
						sums[f[0]] += value
					}
				}
				continue
			}
			lines := strings.Split(string(text), "\n")
			for i := 0; i+1 < len(lines); i += 2 {
				names, values := strings.Fields(lines[i]), strings.Fields(lines[i+1])
				for j := 1; j < min(len(names), len(values)); j++ {
					value, _ := strconv.Atoi(values[j])
					prefix := ""
					if file == "snmp" {
						prefix = strings.TrimSuffix(names[0], ":")
					}
					sums[prefix+names[j]] += value
				}
			}
		}
	}
	return sums
}

func (h *healthy) namespaces() []*testnet.Namespace {
	return append([]*testnet.Namespace{h.left, h.right}, h.bridged...)
}

// A busy machine makes as much traffic in all of its time. A kind of traffic that waits does so for some seconds in each of its rounds.
const (
	enoughRounds = 20_000
	leastTime    = 12 * time.Second
)

// run keeps all of it running for that time, or until there was enough traffic unless it has to be all of that time.
func (h *healthy) run(t *testing.T, d time.Duration, whole bool) {
	t.Helper()
	stop, done := make(chan struct{}), make(chan struct{})
	for _, work := range h.workers {
		go func() {
			work(stop)
			done <- struct{}{}
		}()
	}
	begin := time.Now()
	testreceiver.Within(d, func() bool {
		return !whole && h.rounds.Load() >= enoughRounds && time.Since(begin) >= leastTime
	})
	close(stop)
	for range h.workers {
		<-done
	}
	time.Sleep(500 * time.Millisecond) // until the last segments have arrived
}
