// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package connection

import (
	"maps"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/connection"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

const (
	here, there = "10.0.0.9:51234", "10.0.0.5:443"
	within      = time.Second
)

// merging is the program with merge_within, at a time that the test sets.
type merging struct {
	t     *testing.T
	p     *connections
	batch *batch.Batch
	now   time.Time
}

func newMerging(t *testing.T, change ...func(*program.Host)) *merging {
	t.Helper()
	host := programtest.Host(t)
	for _, c := range change {
		c(host)
	}
	config := defaultConfig()
	config.MergeWithin = within
	m := &merging{t: t, p: newProgram(config, host).(*connections), batch: programtest.NewBatch(host, true), now: time.Unix(1000, 0)}
	m.p.held.now = func() time.Time { return m.now }
	return m
}

func (m *merging) read(records ...[]byte) {
	m.t.Helper()
	for _, raw := range records {
		require.NoError(m.t, m.p.AppendLog(m.batch, raw))
	}
}

func (m *merging) logs() (all []plog.LogRecord) {
	for _, rl := range m.batch.Flush().Logs.ResourceLogs().All() {
		for _, lr := range rl.ScopeLogs().At(0).LogRecords().All() {
			all = append(all, lr)
		}
	}
	return all
}

// unmerged returns the log records that records have without merge_within.
func unmerged(t *testing.T, records ...[]byte) []plog.LogRecord {
	t.Helper()
	m := newMerging(t)
	m.p.held.within = 0
	m.read(records...)
	return m.logs()
}

func numbered(cookie uint64) func(*bpf.ConnectionEvent) {
	return func(e *bpf.ConnectionEvent) { e.Cookie = cookie }
}

// The close of a connection that ends soon says what both events say.
func TestMergedClose(t *testing.T) {
	for name, records := range map[string][2][]byte{
		"client": {event(connect, here, there), event(closed, here, there, totals)},
		"server": {
			event(accept, there, here, server, func(e *bpf.ConnectionEvent) { e.Duration = 70_000 }),
			event(closed, there, here, server, totals),
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMerging(t)
			m.read(records[0])
			assert.Empty(t, m.logs())
			m.now = m.now.Add(within - 1)
			m.read(records[1])
			assert.Zero(t, m.p.AppendHeld(m.batch, false), "nothing is held back any more")
			merged := m.logs()
			require.Len(t, merged, 1)

			apart := unmerged(t, records[0], records[1])
			require.Len(t, apart, 2)
			made, _ := apart[0].Attributes().Get("ebpf.connection.handshake.duration")
			require.NotZero(t, made.Double())
			want := apart[1].Attributes().AsRaw()
			maps.Copy(want, apart[0].Attributes().AsRaw()) // the rest is the same
			assert.Equal(t, want, merged[0].Attributes().AsRaw())
			assert.Equal(t, apart[1].Timestamp(), merged[0].Timestamp())
			assert.Equal(t, "ebpf.connection.close", merged[0].EventName())
			assert.Equal(t, apart[1].Body().Str(), merged[0].Body().Str())
		})
	}
}

// A connection that lasts has both events, the first one later.
func TestHeldUntilItsTime(t *testing.T) {
	m := newMerging(t)
	begin := m.now
	m.read(event(connect, here, there, numbered(1)))
	m.now = begin.Add(300 * time.Millisecond)
	m.read(event(connect, here, there, numbered(2)))
	m.now = begin.Add(within - 1)
	assert.Equal(t, begin.Add(within), m.p.AppendHeld(m.batch, false))
	assert.Empty(t, m.logs())
	m.now = begin.Add(within)
	assert.Equal(t, begin.Add(within+300*time.Millisecond), m.p.AppendHeld(m.batch, false))
	logs := m.logs()
	require.Len(t, logs, 1)
	assert.Equal(t, unmerged(t, event(connect, here, there, numbered(1)))[0].Attributes().AsRaw(), logs[0].Attributes().AsRaw())

	m.read(event(closed, here, there, totals, numbered(1)))
	logs = m.logs()
	require.Len(t, logs, 1)
	assert.Equal(t, unmerged(t, event(closed, here, there, totals, numbered(1)))[0].Attributes().AsRaw(), logs[0].Attributes().AsRaw())

	assert.Zero(t, m.p.AppendHeld(m.batch, true), "the stop")
	assert.Len(t, m.logs(), 1)
}

// Some connections end in any order.
func TestHeldInAnyOrder(t *testing.T) {
	m := newMerging(t)
	for cookie := range uint64(4) {
		m.read(event(connect, here, there, numbered(cookie+1)))
	}
	for _, cookie := range []uint64{2, 4, 1} {
		m.read(event(closed, here, there, totals, numbered(cookie)))
	}
	m.read(event(connect, here, there, numbered(5)))
	m.now = m.now.Add(within)
	assert.Zero(t, m.p.AppendHeld(m.batch, false))
	var have []string
	for _, lr := range m.logs() {
		cookie, _ := lr.Attributes().Get("ebpf.socket.cookie")
		have = append(have, lr.EventName()+" "+cookie.AsString())
	}
	assert.Equal(t, []string{
		"ebpf.connection.close 2", "ebpf.connection.close 4", "ebpf.connection.close 1",
		"ebpf.connection.connect 3", "ebpf.connection.connect 5",
	}, have)
	assert.Empty(t, m.p.held.records)
}

func TestNotHeldBack(t *testing.T) {
	for name, record := range map[string][]byte{
		"failed":                        event(connect, here, there, errno(syscall.ECONNREFUSED)),
		"datagram":                      event(connect, here, there, datagram),
		"subflow that joins":            event(bpf.ConnectionEventIdEVENT_JOIN, here, there, subflow),
		"without a number":              event(connect, here, there, numbered(0)),
		"older than the receiver":       event(closed, here, there, totals),
		"unix":                          local("/run/x"),
		"of a socket that is held back": event(connect, here, there, numbered(7)),
	} {
		t.Run(name, func(t *testing.T) {
			m := newMerging(t)
			m.read(event(connect, here, there, numbered(7)))
			m.read(record)
			assert.Len(t, m.logs(), 1)
		})
	}
	t.Run("without closes", func(t *testing.T) {
		m := newMerging(t, func(host *program.Host) { host.Events.EbpfConnectionClose.Enabled = false })
		m.read(event(connect, here, there))
		assert.Len(t, m.logs(), 1)
	})
}

func TestHeldAreBounded(t *testing.T) {
	m := newMerging(t)
	for cookie := range uint64(maxHeld) {
		m.read(event(connect, here, there, numbered(cookie+1)))
	}
	m.p.AppendHeld(m.batch, false)
	assert.Empty(t, m.logs())
	for cookie := range uint64(100) {
		m.read(event(connect, here, there, numbered(maxHeld+cookie+1)))
	}
	size := m.batch.Room()
	m.p.AppendHeld(m.batch, false)
	assert.Len(t, m.logs(), size, "no more than a batch holds at once")
	m.p.AppendHeld(m.batch, false)
	assert.Len(t, m.logs(), 100-size)
	assert.Len(t, m.p.held.records, maxHeld)
}

func TestHoldingAllocatesNothing(t *testing.T) {
	m := newMerging(t)
	e, _ := common.View[bpf.ConnectionEvent](event(connect, here, there))
	end, _ := common.View[bpf.ConnectionEvent](event(closed, here, there))
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		m.p.held.hold(e)
		m.p.held.take(end)
	}))
}
