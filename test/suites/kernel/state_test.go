// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

// states returns the states of a program in order, each once.
func states(r *testreceiver.Receiver, program string) (states []string) {
	for _, e := range r.Events.Matching(testreceiver.Named(stateEvent), testreceiver.With("ebpf.program.name", program)) {
		state := e.Attributes["ebpf.program.state"].(string)
		if len(states) == 0 || states[len(states)-1] != state {
			states = append(states, state)
		}
	}
	return states
}

func TestProgramStates(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.New(t, bothPrograms)
	require.NoError(t, r.Start())
	for _, program := range []string{"connection", "packet_drop"} {
		attached := r.Wait(t, 1, testreceiver.Named(stateEvent), testreceiver.With("ebpf.program.name", program), testreceiver.With("ebpf.program.state", "attached"))
		for _, e := range attached {
			assert.Equal(t, plog.SeverityNumberInfo, e.Severity)
			assert.NotEmpty(t, e.Attributes["ebpf.program.hook"])
			assert.Contains(t, e.Body, program)
			assert.NotContains(t, e.Attributes, "ebpf.program.error.message")
		}
	}
	assert.NotEmpty(t, r.Events.Matching(testreceiver.Named(stateEvent), testreceiver.With("ebpf.program.hook", "tp_btf/kfree_skb")))
	assert.NotEmpty(t, r.Events.Matching(testreceiver.Named(stateEvent), testreceiver.With("ebpf.program.hook", "tp_btf/inet_sock_set_state"), testreceiver.With("ebpf.program.name", "connection")))
	m := r.Scrape(t)
	for _, program := range []string{"connection", "packet_drop"} {
		var now []testreceiver.Series
		for _, series := range m.Series(stateEvent) {
			if series.Attributes["ebpf.program.name"] == program {
				now = append(now, series)
			}
		}
		assert.Equal(t, []testreceiver.Series{{
			Attributes: testreceiver.Attributes{"ebpf.program.name": program, "ebpf.program.state": "attached"}, Value: 1,
		}}, now)
	}
	require.NoError(t, r.Shutdown())
	for _, program := range []string{"connection", "packet_drop"} {
		assert.Equal(t, []string{"loading", "attached", "detached"}, states(r, program))
	}
	for _, e := range r.Host.Statuses() {
		assert.NotEqual(t, componentstatus.StatusPermanentError, e.Status())
		assert.NotEqual(t, componentstatus.StatusRecoverableError, e.Status())
	}
}

// statsSysctl is the kernel's switch for run-time statistics of BPF programs.
const statsSysctl = "/proc/sys/kernel/bpf_stats_enabled"

// Run times of programs are published only while the kernel measures them.
func TestRunTimeOnlyWhileTheKernelMeasures(t *testing.T) {
	testnet.Require(t)
	before, err := os.ReadFile(statsSysctl)
	require.NoError(t, err)
	if strings.TrimSpace(string(before)) != "0" {
		testenv.Missing(t, "somebody else has enabled the kernel's statistics")
	}
	set := func(value string) { require.NoError(t, os.WriteFile(statsSysctl, []byte(value), 0o600)) }
	t.Cleanup(func() { set("0") })

	r := testreceiver.Start(t, bothPrograms)
	const runTime, runCount = "ebpf.program.run.time", "ebpf.program.runs"
	published := func() bool {
		m := r.Scrape(t)
		return len(m.Find(runTime)) > 0 || len(m.Find(runCount)) > 0
	}
	assert.False(t, published(), "without statistics")

	set("1")
	a := traffic.Start(t, testnet.NewNamespace(t))
	const connects = 100
	for range connects {
		a.Close(a.Connect(traffic.Addr(testnet.Loopback4, closedPort)).FD)
	}
	m := r.Scrape(t)
	for _, hook := range []testreceiver.Attributes{
		{"ebpf.program.name": "connection", "ebpf.program.hook": "tp_btf/inet_sock_set_state"},
		{"ebpf.program.name": "packet_drop", "ebpf.program.hook": "tp_btf/kfree_skb"},
	} {
		assert.GreaterOrEqual(t, m.Int(runCount, hook), connects, "%v", hook)
		assert.Positive(t, m.Float(runTime, hook), "%v", hook)
		assert.Less(t, m.Float(runTime, hook), 10.0, "seconds, not nanoseconds: %v", hook)
	}

	set("0")
	assert.False(t, published(), "statistics are disabled again")
}

// Events and metrics can each be switched off.
func TestEventsAndMetricsCanBeSwitchedOff(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, fmt.Sprintf(`
programs: {connection: {}, packet_drop: {}}
events:
  body: false
  %s: {enabled: false}
  %s: {enabled: false}
metrics:
  %s: {enabled: false}
  %s: {enabled: false}
`, closeEvent, stateEvent, openedMetric, handshakeMetric))
	container := testhost.NewContainer(t)
	s := newClientServer(t, traffic.In(container))
	p := s.establish(t, families[0])
	closeInTurn(s.client, p.client.FD, s.server, p.server.FD)
	for _, e := range r.Exactly(t, 2, testreceiver.OfProcess(s.client.PID, s.server.PID)) {
		assert.NotEqual(t, closeEvent, e.Name)
		assert.Empty(t, e.Body)
	}
	assert.Empty(t, r.Events.Matching(testreceiver.Named(stateEvent)))
	m := r.ScrapeUntil(t, func(m testreceiver.Scrape) bool { return m.In(container).Int(activeMetric, nil) == 0 })
	assert.Empty(t, m.Find(openedMetric))
	assert.Empty(t, m.Find(handshakeMetric))
	assert.NotEmpty(t, m.In(container).Find(durationMetric))
	assert.Empty(t, lost(m, "connection"), "disabled events are not lost")
}
