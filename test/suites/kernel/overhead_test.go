// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/programs"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/provoke"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/restrict"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

// overheadInterval is short, so that a detached program steps up within seconds.
const overheadInterval = 50 * time.Millisecond

// rage repeats rounds of a storm until the returned function is called.
func rage(t *testing.T, round func() error, calm func()) (end func()) {
	stop := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if !assert.NoError(t, round(), "the storm") {
				return
			}
		}
	})
	return func() {
		close(stop)
		running.Wait()
		if calm != nil {
			calm()
		}
	}
}

// overheadOf returns the cost of a program as a share of one CPU; "" means all programs.
func overheadOf(m testreceiver.Scrape, program string) (share float64) {
	for _, metric := range m.Find("ebpf.overhead") {
		for _, p := range metric.Gauge().DataPoints().All() {
			name, ok := p.Attributes().Get("ebpf.program.name")
			if ok && !p.Flags().NoRecordedValue() && (program == "" || name.Str() == program) {
				share += p.DoubleValue()
			}
		}
	}
	return share
}

// steps returns the state events of a program since a time, without those about its hooks.
func steps(r *testreceiver.Receiver, program string, since time.Time) (steps []testreceiver.Event) {
	for _, e := range r.Events.Matching(testreceiver.Named(stateEvent), testreceiver.With("ebpf.program.name", program)) {
		if e.Attributes["ebpf.program.reason"] != nil && e.Time.After(since) {
			steps = append(steps, e)
		}
	}
	return steps
}

// stateOf returns the state of a program in the metrics.
func stateOf(m testreceiver.Scrape, program string) string {
	for _, series := range m.Series(stateEvent) {
		if series.Attributes["ebpf.program.name"] == program {
			return series.Attributes["ebpf.program.state"]
		}
	}
	return ""
}

// In a storm the programs cost less than the limit within a second. After the storm, each program steps up to the full level.
func TestOverheadLimit(t *testing.T) {
	testnet.Require(t)
	for _, name := range provoke.Names() {
		s := provoke.Of(name).Storm
		require.NotNil(t, s, "a storm for %s", name)
		t.Run(name, func(t *testing.T) {
			round, calm := s.Begin(t)
			r := testreceiver.Start(t, fmt.Sprintf("overhead_limit: %s\noverhead_interval: %s\nprograms: {%s: {%s}}\n%s",
				s.Limit, overheadInterval, name, s.Settings, s.Receiver))
			r.Wait(t, 1, testreceiver.Named(stateEvent), testreceiver.With("ebpf.program.name", name), testreceiver.With("ebpf.program.state", "attached"))
			hooks := hooksOf(r, name)
			begin := time.Now()
			end := rage(t, round, calm)
			down := func() bool {
				last := steps(r, name, begin)
				return len(last) > 0 && (s.EventsOff || slices.ContainsFunc(last, func(e testreceiver.Event) bool {
					return e.Attributes["ebpf.program.state"] == "detached"
				}))
			}
			held := testreceiver.Eventually(down)
			took := time.Since(begin)
			m := r.Scrape(t)
			end()
			require.True(t, held, "%s costs %.2f %% of a CPU, and its states are %v at %v", name, 100*overheadOf(m, name), states(r, name), hooks)
			descent := steps(r, name, begin)
			if s.EventsOff {
				descent = descent[:1] // later steps depend on other work on the host
			}
			first, lasted := firstOfDescent(descent)
			t.Logf("%s: held %s after the storm began, %s after the first step, hooks %v", name, took.Round(time.Millisecond), lasted, hooks)
			assert.LessOrEqual(t, lasted, testenv.Patiently(time.Second), "the limit holds within a second")
			assert.Equal(t, plog.SeverityNumberWarn, first.Severity)
			assert.Contains(t, first.Body, "program "+name)
			assert.Contains(t, first.Body, "above the overhead_limit of "+s.Limit)
			assert.Equal(t, "events_off", first.Attributes["ebpf.program.state"], "events go first")
			assert.True(t, r.Host.Reported(componentstatus.StatusRecoverableError, 0))

			var last testreceiver.Event
			require.True(t, testreceiver.Eventually(func() bool {
				statuses, all := r.Host.Statuses(), steps(r, name, begin)
				last = all[len(all)-1]
				return statuses[len(statuses)-1].Status() == componentstatus.StatusOK && last.Severity == plog.SeverityNumberInfo
			}), "%v", states(r, name))
			assert.Contains(t, last.Body, "program "+name+" does everything again: ")
			assert.True(t, testreceiver.Eventually(func() bool { return stateOf(r.Scrape(t), name) == "attached" }))
			assert.Equal(t, hooks, hooksOf(r, name), "it has the hooks that it had before")
			// The program counts the storm again.
			since := time.Now()
			end = rage(t, round, calm)
			again := testreceiver.Eventually(func() bool { return len(steps(r, name, since)) > 0 })
			end()
			assert.True(t, again, "the program has noticed nothing of a second storm")
		})
	}
}

// firstOfDescent returns the first of the consecutive steps down to the deepest level, and how long they took.
func firstOfDescent(steps []testreceiver.Event) (first testreceiver.Event, lasted time.Duration) {
	end := len(steps) - 1
	if detached := slices.IndexFunc(steps, func(e testreceiver.Event) bool { return e.Attributes["ebpf.program.state"] == "detached" }); detached >= 0 {
		end = detached
	}
	begin := end
	for begin > 0 && strings.Contains(steps[begin-1].Body, "above") {
		begin--
	}
	return steps[begin], steps[end].Time.Sub(steps[begin].Time)
}

// hooksOf returns the hooks that a program was last attached to, in order.
func hooksOf(r *testreceiver.Receiver, program string) (hooks []string) {
	for _, e := range r.Events.Matching(testreceiver.Named(stateEvent), testreceiver.With("ebpf.program.name", program)) {
		hook, _ := e.Attributes[hookKey].(string)
		switch {
		case e.Attributes["ebpf.program.state"] == "loading":
			hooks = nil
		case e.Attributes["ebpf.program.state"] == "attached" && hook != "":
			hooks = append(hooks, hook)
		}
	}
	return hooks
}

// With events off the metrics stay exact, and each event that was not emitted is counted.
func TestOverheadLimitCountsEvents(t *testing.T) {
	testnet.Require(t)
	const count = 5000
	r := testreceiver.Start(t, fmt.Sprintf(
		"exclude: {cidrs: %s}\noverhead_limit: 10%%\noverhead_interval: %s\nmetrics: {ebpf.overhead: {enabled: true}}\nprograms: {packet_drop: {event_limit: 1000000}}",
		testreceiver.AllBut(testnet.Prefix4), overheadInterval))
	s := newClientServer(t)
	socket := s.client.OpenUDP(traffic.Addr(testnet.Left.IPv4, 0))
	sent := 0
	held := testreceiver.Eventually(func() bool {
		sent += s.client.SendMany(socket.FD, traffic.Addr(testnet.Right.IPv4, closedPort), 64, count).Count
		return lost(r.Scrape(t), "packet_drop")["overhead_limit"] > 0
	})
	require.True(t, held, "no event was held back of %d: %v", sent, states(r, "packet_drop"))
	assert.NotContains(t, states(r, "packet_drop"), "detached")
	series := dropSeries("no_socket", "ipv4")
	m := r.ScrapeUntil(t, func(m testreceiver.Scrape) bool { return m.Int("ebpf.packet.drops", series) >= sent })
	if !slices.Contains(states(r, "packet_drop"), "sampled") {
		assert.Equal(t, sent, m.Int("ebpf.packet.drops", series), "the metrics are exact")
	}
	delivered := m.Int("ebpf.event.delivered", testreceiver.Attributes{"ebpf.program.name": "packet_drop"})
	causes := lost(m, "packet_drop")
	assert.Equal(t, m.Int("ebpf.packet.drops", nil), delivered+causes["overhead_limit"]+causes["ring_full"], "%v", causes)
	assert.NotContains(t, causes, "rate_limit")
	told := r.Wait(t, 1, testreceiver.Named("ebpf.event.lost"), testreceiver.With("ebpf.loss.cause", "overhead_limit"))
	assert.Contains(t, told[0].Body, "events were held back to keep overhead_limit")
}

// The cost in the kernel is measured with the capabilities of the shipped unit.
func TestOverheadLimitIsMeasuredWithoutRoot(t *testing.T) {
	testnet.Require(t)
	unit := programs.CapabilityNumbers("CAP_BPF", "CAP_PERFMON", "CAP_NET_ADMIN", "CAP_SYSLOG")
	a := traffic.Start(t, testnet.NewNamespace(t), traffic.OfTestBinary(), traffic.Restricted(restrict.Restriction{Drop: restrict.AllBut(unit...)}))
	// Without events only the cost in the kernel can exceed the limit.
	reason := testreceiver.TryStorm(a, fmt.Sprintf(
		"exclude: {self: false}\noverhead_limit: 0.1%%\noverhead_interval: %s\nprograms: {connection: {events: false}}", overheadInterval))
	assert.Contains(t, reason, "above the overhead_limit of 0.1%")
}
