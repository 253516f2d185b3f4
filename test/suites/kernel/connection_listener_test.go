// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

const (
	overflowsMetric = "ebpf.listener.overflows"
	backlogMetric   = "ebpf.listener.backlog"
	limitMetric     = "ebpf.listener.limit"
)

// netstat returns a kernel counter of the network namespace of an agent.
func netstat(t *testing.T, of *traffic.Agent, counter string) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/netstat", of.PID))
	require.NoError(t, err)
	lines := strings.Split(string(text), "\n")
	names, values := strings.Fields(lines[0]), strings.Fields(lines[1])
	i := slices.Index(names, counter)
	require.Positive(t, i, "%s", counter)
	value, err := strconv.Atoi(values[i])
	require.NoError(t, err)
	return value
}

// ofListener are the attributes of the series of a listener.
func ofListener(a *traffic.Agent, listener traffic.Socket, networkType string) testreceiver.Attributes {
	return testreceiver.Attributes{
		"network.type":            networkType,
		"server.address":          listener.Local.Addr().String(),
		"server.port":             strconv.Itoa(int(listener.Local.Port())),
		"process.pid":             strconv.Itoa(a.PID),
		"process.executable.name": "kernel-test-server",
	}
}

// Connections in the accept queue and overflows of the queue equal the kernel's counts, also for listeners that are older than the
// receiver.
func TestConnectionListeners(t *testing.T) {
	testnet.Require(t)
	s := newClientServer(t)
	const backlog = 2
	older := s.server.ListenWithBacklog(traffic.Addr(testnet.Right.IPv4, 0), backlog)
	overflow := func(listener traffic.Socket, waiting int) {
		for range waiting {
			require.Zero(t, s.client.Connect(listener.Local).Errno)
		}
		for range 3 {
			s.client.StartConnect(listener.Local)
		}
	}
	for range backlog + 1 {
		require.Zero(t, s.client.Connect(older.Local).Errno)
	}
	before := netstat(t, s.server, "ListenOverflows")
	r := testreceiver.Start(t, "programs: {connection: {protocols: [tcp]}}")
	for _, f := range families[:2] {
		t.Run(f.name, func(t *testing.T) {
			listener := s.server.ListenWithBacklog(traffic.Addr(f.listen, 0), backlog)
			other := s.server.ListenWithBacklog(traffic.Addr(f.listen, 0), backlog)
			overflow(listener, backlog+1)
			require.Zero(t, s.client.Connect(other.Local).Errno)
			series := ofListener(s.server, listener, f.networkType)
			m := r.Scrape(t)
			assert.Positive(t, m.Int(overflowsMetric, series))
			assert.Equal(t, backlog+1, m.Int(backlogMetric, series))
			assert.Equal(t, backlog, m.Int(limitMetric, series))
			assert.Zero(t, m.Int(overflowsMetric, ofListener(s.server, other, f.networkType)))
			assert.Equal(t, 1, m.Int(backlogMetric, ofListener(s.server, other, f.networkType)))
			s.server.Accept(listener.FD)
			assert.Equal(t, backlog, r.Scrape(t).Int(backlogMetric, series))
		})
	}
	s.client.StartConnect(older.Local)
	// Clients retransmit their SYNs, so that the counter rises meanwhile.
	var all, kernels int
	require.True(t, testreceiver.Eventually(func() bool {
		kernels = netstat(t, s.server, "ListenOverflows") - before
		all = r.Scrape(t).Int(overflowsMetric, nil)
		return all == kernels && netstat(t, s.server, "ListenOverflows")-before == kernels
	}), "%d overflows, %d by the kernel", all, kernels)
	assert.Equal(t, backlog+1, r.Scrape(t).Int(backlogMetric, ofListener(s.server, older, "ipv4")))
	// The series of closed listeners end after a few collections. So the metrics are read while the server exits.
	exited, last := make(chan struct{}), make(chan int)
	go func() {
		most := 0
		for open := true; open; most = max(most, r.Scrape(t).Int(overflowsMetric, nil)) {
			select {
			case <-exited:
				open = false
			default:
			}
		}
		last <- most
	}()
	s.server.Exit()
	close(exited)
	assert.GreaterOrEqual(t, <-last, kernels, "those between the last reading and the close are counted")
	r.ScrapeUntil(t, func(m testreceiver.Scrape) bool { return len(m.Find(overflowsMetric)) == 0 })
	assert.Empty(t, r.Scrape(t).Find(overflowsMetric), "the series end with their listeners")
}
