// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package filedescriptor

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/filedescriptor"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

func chars(s []int8) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s))
}

// leak returns the record of a leak.
func leak(cgroup uint64, kind, open uint32, growth, duration uint64) []byte {
	e := &bpf.FileDescriptorEvent{}
	e.Record.Program, e.Record.Event = programtest.Number, uint8(bpf.FileDescriptorEventIdEVENT_LEAK)
	e.Record.Time = uint64(programtest.Start) + 1
	l := &e.Leak
	l.Owner.Pid, l.Owner.Uid, l.Owner.Cgroup = 4242, 33, cgroup
	copy(chars(l.Owner.Comm[:]), "worker")
	copy(chars(l.Owner.Executable[:]), "java")
	l.Kind, l.Open, l.Growth, l.Duration = kind, open, growth, duration
	return programtest.Bytes(e)
}

func TestAppendLogGolden(t *testing.T) {
	records := [][]byte{
		leak(programtest.Service, uint32(socket), 134, 120, 300_000_000_000),
		leak(programtest.WebChild, uint32(file), 2, 2, 1_500_000_000),
		leak(0, uint32(kinds), 1<<31, 1<<31, 86_400_000_000_000),
		leak(0, uint32(pipe), 3, 3, 0),
	}
	host := programtest.Host(t)
	p, b := newProgram(defaultConfig(), host), programtest.NewBatch(host, true)
	for _, record := range records {
		require.NoError(t, p.AppendLog(b, record))
	}
	sealed := b.Seal()
	assert.Equal(t, len(records), sealed.ByProgram[programtest.Number])
	programtest.AssertSound(t, sealed.Logs)
	programtest.CompareLogs(t, "leak.yaml", sealed.Logs)
}

func TestAppendLogWithoutBody(t *testing.T) {
	host := programtest.Host(t)
	p, b := newProgram(defaultConfig(), host), programtest.NewBatch(host, false)
	require.NoError(t, p.AppendLog(b, leak(0, 1, 2, 3, 4)))
	assert.Empty(t, b.Seal().Logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).Body().AsString())
}

func TestAppendLogRefuses(t *testing.T) {
	host := programtest.Host(t)
	p, b := newProgram(defaultConfig(), host), programtest.NewBatch(host, true)
	whole := leak(0, 1, 2, 3, 4)
	for length := range whole {
		require.ErrorContains(t, p.AppendLog(b, whole[:length:length]), "too short")
	}
	whole[1] = 9
	require.ErrorContains(t, p.AppendLog(b, whole), "unknown event 9")
	assert.Zero(t, b.Len())
}
