// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package oom

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/oom"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

// kill returns the record of a kill, changed by set.
func kill(cgroup uint64, set ...func(*bpf.OomEvent)) []byte {
	e := &bpf.OomEvent{ScoreAdj: -500, HasMemory: 1}
	e.Record.Program = programtest.Number
	e.Record.Event = uint8(bpf.OomEventIdEVENT_KILL)
	e.Record.Time = uint64(programtest.Start) + 1
	e.Owner.Pid, e.Owner.Uid, e.Owner.Cgroup = 4242, 33, cgroup
	copy(chars(e.Owner.Comm[:]), "GC Thread#0")
	copy(chars(e.Owner.Executable[:]), "java")
	e.Trigger.Pid, e.Trigger.Cgroup = 77, programtest.Service
	copy(chars(e.Trigger.Comm[:]), "cron")
	copy(chars(e.Trigger.Executable[:]), "cron")
	m := &e.Memory
	m.Total, m.Anonymous, m.File, m.Shmem, m.Swap, m.PageTables = 1_000_000, 400_000, 5000, 300, 20, 1<<20
	for _, change := range set {
		change(e)
	}
	return programtest.Bytes(e)
}

func chars(s []int8) []byte { return unsafe.Slice((*byte)(unsafe.Pointer(&s[0])), len(s)) }

// newTestProgram returns the program on a host with four million pages of 4 KiB.
func newTestProgram(host *program.Host) *kills {
	k := newProgram(defaultConfig(), host).(*kills)
	k.pageSize, k.totalPages = 4096, func() uint64 { return 4_000_000 }
	return k
}

func TestAppendLogGolden(t *testing.T) {
	host := programtest.Host(t)
	p, b := newTestProgram(host), programtest.NewBatch(host, true)
	records := [][]byte{
		kill(programtest.Service),
		kill(programtest.WebChild),
		kill(programtest.Database, func(e *bpf.OomEvent) { e.Trigger = e.Owner }),
		kill(0, func(e *bpf.OomEvent) { // asked for by the kernel, and the victim has freed its memory
			trigger := bpf.OomEvent{}.Trigger
			e.Trigger, e.HasMemory, e.Owner.Executable = trigger, 0, [48]int8{}
		}),
	}
	for _, record := range records {
		require.NoError(t, p.AppendLog(b, record))
	}
	payload := b.Flush()
	assert.Equal(t, len(records), payload.ByProgram[programtest.Number])
	programtest.AssertSound(t, payload.Logs)
	programtest.CompareLogs(t, "kill.yaml", payload.Logs)
}

func TestAppendLogWithoutBodyAndScore(t *testing.T) {
	host := programtest.Host(t)
	p, b := newTestProgram(host), programtest.NewBatch(host, false)
	p.totalPages = func() uint64 { return 0 }
	require.NoError(t, p.AppendLog(b, kill(0)))
	lr := b.Flush().Logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
	assert.Empty(t, lr.Body().AsString())
	assert.NotContains(t, lr.Attributes().AsRaw(), "ebpf.oom.score", "the host's memory is not known")
	assert.Contains(t, lr.Attributes().AsRaw(), "ebpf.oom.score_adj")
}

func TestAppendLogRefuses(t *testing.T) {
	host := programtest.Host(t)
	p, b := newTestProgram(host), programtest.NewBatch(host, true)
	whole := kill(0)
	require.ErrorContains(t, p.AppendLog(b, whole[:len(whole)-1]), "too short")
	require.ErrorContains(t, p.AppendLog(b, kill(0, func(e *bpf.OomEvent) { e.Record.Event = 9 })), "unknown event 9")
	assert.Zero(t, b.Len())
}

// The score, from no memory to all memory, and over the range of oom_score_adj, equals the one in /proc.
func TestScore(t *testing.T) {
	for _, tt := range []struct{ pages, adjustment, total, want int64 }{
		{0, 0, 4_000_000, 666},
		{4_000_000, 0, 4_000_000, 1333},
		{4_000_000, 1000, 4_000_000, 2000},
		{0, 1000, 4_000_000, 1333},
		{0, -999, 4_000_000, 0},
		{400_000, 0, 4_000_000, 733},
	} {
		assert.Equal(t, tt.want, score(tt.pages, tt.adjustment, tt.total), "%+v", tt)
	}
}

// The score counts all memory that a kill frees. It does not count address space.
func TestScoreOfEachKindOfMemory(t *testing.T) {
	const pages = 400_000
	host := programtest.Host(t)
	p := newTestProgram(host)
	var memory bpf.OomEvent
	for name, tt := range map[string]struct {
		value *uint64
		held  uint64
		want  int64
	}{
		"total":       {&memory.Memory.Total, pages, 666},
		"anonymous":   {&memory.Memory.Anonymous, pages, 733},
		"file":        {&memory.Memory.File, pages, 733},
		"shmem":       {&memory.Memory.Shmem, pages, 733},
		"swap":        {&memory.Memory.Swap, pages, 733},
		"page_tables": {&memory.Memory.PageTables, pages * 4096, 733},
	} {
		memory = bpf.OomEvent{}
		*tt.value = tt.held
		b := programtest.NewBatch(host, true)
		require.NoError(t, p.AppendLog(b, kill(0, func(e *bpf.OomEvent) { e.Memory, e.ScoreAdj = memory.Memory, 0 })))
		lr := b.Flush().Logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
		assert.Equal(t, tt.want, lr.Attributes().AsRaw()["ebpf.oom.score"], name)
		assert.EqualValues(t, pages*4096, lr.Attributes().AsRaw()["ebpf.oom.memory."+name], name)
	}
}
