// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

// Names of events.
const (
	connectEvent = "ebpf.connection.connect"
	acceptEvent  = "ebpf.connection.accept"
	closeEvent   = "ebpf.connection.close"
	dropEvent    = "ebpf.packet.drop"
	lostEvent    = "ebpf.event.lost"
	stateEvent   = "ebpf.program.state"
)

// Attributes with measured values, which are not known beforehand.
const (
	handshakeKey   = "ebpf.connection.handshake.duration"
	durationKey    = "ebpf.connection.duration"
	rttKey         = "ebpf.connection.rtt.smoothed"
	rttMinKey      = "ebpf.connection.rtt.min"
	retransmitsKey = "ebpf.connection.retransmits"
)

// clockTolerance is the allowed difference between the kernel's time, converted to wall time, and wall time read by
// processes.
const clockTolerance = time.Millisecond

// lateTolerance is how long a softirq may wait for a CPU, and run after a process has seen the effect.
var lateTolerance = max(clockTolerance, testenv.Patiently(50*time.Millisecond)-50*time.Millisecond)

// attributes are an event's attributes as pdata gives them.
type attributes map[string]any

func (a attributes) with(more attributes) attributes {
	sum := maps.Clone(a)
	maps.Copy(sum, more)
	return sum
}

// owner returns the attributes of an owning process. The thread is the one that made the process the owner.
func owner(a *traffic.Agent, attribution string) attributes {
	return attributes{
		"process.pid":             int64(a.PID),
		"process.executable.name": a.Executable,
		"process.user.id":         int64(a.UID),
		"thread.name":             a.Thread,
		"ebpf.attribution":        attribution,
	}
}

// connection is the attributes of a connection as one side sees it.
func connection(transport, role string, client, server netip.AddrPort, cookie uint64, ns *testnet.Namespace) attributes {
	a := attributes{
		"network.transport":      transport,
		"network.type":           networkType(server.Addr()),
		"server.address":         server.Addr().Unmap().WithZone("").String(),
		"server.port":            int64(server.Port()),
		"ebpf.connection.role":   role,
		"ebpf.socket.cookie":     int64(cookie),
		"ebpf.network.namespace": int64(ns.Inode),
		"client.address":         client.Addr().Unmap().WithZone("").String(),
		"client.port":            int64(client.Port()),
	}
	return a
}

func networkType(a netip.Addr) string {
	if a.Unmap().Is4() {
		return "ipv4"
	}
	return "ipv6"
}

// check compares all of an event: it has exactly the given attributes, and the measured ones.
func check(t testing.TB, e testreceiver.Event, name string, severity plog.SeverityNumber, want attributes, measured ...string) {
	t.Helper()
	assert.Equal(t, name, e.Name)
	assert.Equal(t, severity, e.Severity)
	assert.Equal(t, map[plog.SeverityNumber]string{plog.SeverityNumberInfo: "INFO", plog.SeverityNumberWarn: "WARN", plog.SeverityNumberError: "ERROR"}[severity], e.SeverityText)
	assert.NotEmpty(t, e.Scope)
	assert.False(t, e.Observed.Before(e.Time), "observed at %s, before it happened at %s", e.Observed, e.Time)
	assert.False(t, e.Observed.After(time.Now()), "observed in the future")

	have := attributes(maps.Clone(e.Attributes))
	if _, numbered := have[cookieKey]; !numbered && !kernelSays().numbers {
		want = maps.Clone(want)
		delete(want, cookieKey)
	}
	for _, key := range measured {
		assert.Contains(t, have, key)
		delete(have, key)
	}
	for _, key := range []string{busyKey, windowKey, bufferKey} { // they depend on the host's speed
		delete(have, key)
	}
	assert.Equal(t, want, have, "attributes of %s", e)
	checkBody(t, e)
}

// checkBody checks that the body contains the most important facts.
func checkBody(t testing.TB, e testreceiver.Event) {
	t.Helper()
	if pid, ok := e.Attributes["process.pid"]; ok {
		assert.Contains(t, e.Body, fmt.Sprintf("[%d]", pid))
	}
	peer := "server.address"
	if e.Attributes["ebpf.connection.role"] == "server" {
		peer = "client.address"
	}
	for _, key := range []string{peer, "source.address", "destination.address", "network.transport", "error.type", "ebpf.drop.reason"} {
		if value, ok := e.Attributes[key]; ok {
			assert.Contains(t, e.Body, value, "the body should name %s", key)
		}
	}
	assert.NotContains(t, e.Body, "\n")
	assert.NotContains(t, e.Body, "::ffff:")
}

// within checks that the event's time lies between two moments read by a process.
func within(t testing.TB, e testreceiver.Event, start, end time.Time) {
	t.Helper()
	assert.False(t, e.Time.Before(start.Add(-clockTolerance)), "%s is too early: not before %s", e, start)
	assert.False(t, e.Time.After(end.Add(lateTolerance)), "%s is too late: not after %s", e, end)
}

// seconds returns an attribute in seconds as a duration.
func seconds(t testing.TB, e testreceiver.Event, key string) time.Duration {
	t.Helper()
	value, ok := e.Attributes[key].(float64)
	require.True(t, ok, "%s of %s is not a floating-point number", key, e)
	return time.Duration(value * float64(time.Second))
}

// between checks that a measured duration is positive and within bounds.
func between(t testing.TB, e testreceiver.Event, key string, low, high time.Duration) {
	t.Helper()
	d := seconds(t, e, key)
	assert.Positive(t, d, "%s of %s", key, e)
	assert.GreaterOrEqual(t, d, low-clockTolerance, "%s of %s", key, e)
	assert.LessOrEqual(t, d, high, "%s of %s", key, e)
}

// only returns the single event with that name and process.
func only(t testing.TB, events []testreceiver.Event, name string, a *traffic.Agent) testreceiver.Event {
	t.Helper()
	found := slices.DeleteFunc(slices.Clone(events), func(e testreceiver.Event) bool {
		return e.Name != name || e.Attributes["process.pid"] != int64(a.PID)
	})
	require.Len(t, found, 1, "%s of %s[%d] in %v", name, a.Executable, a.PID, events)
	return found[0]
}
