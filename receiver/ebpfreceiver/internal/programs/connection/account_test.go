// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package connection

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/connection"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

// Two records that are half a second apart give the rate of jiffies.
func TestTicks(t *testing.T) {
	for _, rate := range rates {
		var ticks ticks
		at := func(ms uint64) bool { return ticks.learn(5_000_000_000+uint64(rate)*ms/1000, 77e9+ms*1e6) }
		assert.False(t, at(0))
		assert.False(t, at(499))
		assert.True(t, at(620), "%v", rate)
		assert.InDelta(t, rate, ticks.rate, 0)
	}
	var ticks ticks
	assert.False(t, ticks.learn(1000, 1e9))
	assert.False(t, ticks.learn(1000+700, 2e9), "no kernel has this rate")
	assert.False(t, ticks.learn(900, 3e9), "from another CPU")
	assert.True(t, ticks.learn(1000+2500, 11e9))
}

// TCP's account is in seconds. What is zero, or not known yet, is absent.
func TestAccount(t *testing.T) {
	host := programtest.Host(t)
	p := newProgram(defaultConfig(), host)
	closing := func(jiffies, ns uint64) []byte {
		return event(closed, "10.0.0.9:1", "10.0.0.5:2", totals, func(e *bpf.ConnectionEvent) {
			e.Record.Time += ns
			e.Account.Jiffies, e.Account.Busy, e.Account.WindowLimited, e.Account.OutOfOrder = jiffies, 500, 125, 3
			e.Account.Duplicates, e.Account.ZeroWindows, e.Account.Congestion = 2, 1, 4
		})
	}
	b := programtest.NewBatch(host, true)
	require.NoError(t, p.AppendLog(b, closing(10_000, 0)))
	require.NoError(t, p.AppendLog(b, closing(10_250, 1e9)))
	records := b.Flush().Logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords()
	first, second := records.At(0).Attributes().AsRaw(), records.At(1).Attributes().AsRaw()
	assert.NotContains(t, first, "ebpf.connection.busy.duration")
	assert.InDelta(t, 2.0, second["ebpf.connection.busy.duration"], 0)
	assert.InDelta(t, 0.5, second["ebpf.connection.receive_window_limited.duration"], 0)
	assert.NotContains(t, second, "ebpf.connection.send_buffer_limited.duration")
	assert.Equal(t, int64(3), second["ebpf.connection.out_of_order"])
	for key, want := range map[string]any{
		"ebpf.connection.out_of_order": int64(3), "ebpf.connection.duplicates": int64(2), "ebpf.connection.zero_windows": int64(1),
		"ebpf.connection.congestion.state": "loss",
	} {
		assert.Equal(t, want, first[key], key)
	}
}
