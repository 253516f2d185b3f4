// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package runqueue

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/runqueue"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

func chars(s []int8) []byte { return unsafe.Slice((*byte)(unsafe.Pointer(&s[0])), len(s)) }

// stall returns the record of a task that waited for that many ns. Kernel threads have no executable.
func stall(cgroup uint64, pid uint32, duration uint64) []byte {
	e := &bpf.RunqueueEvent{Duration: duration}
	e.Record.Program, e.Record.Event, e.Record.Cpu = programtest.Number, stalled, 3
	e.Record.Time = uint64(programtest.Start) + 1
	e.Owner.Pid, e.Owner.Cgroup = pid, cgroup
	if cgroup == 0 {
		copy(chars(e.Owner.Comm[:]), "kworker/3:1")
		return programtest.Bytes(e)
	}
	e.Owner.Uid = 33
	copy(chars(e.Owner.Comm[:]), "nginx: worker")
	copy(chars(e.Owner.Executable[:]), "nginx")
	return programtest.Bytes(e)
}

func TestAppendLogGolden(t *testing.T) {
	host := programtest.Host(t)
	p, b := newProgram(defaultConfig(), host), programtest.NewBatch(host, true)
	records := [][]byte{
		stall(programtest.Service, 4242, 100_000_001),
		stall(programtest.WebChild, 4243, 2_500_000_000),
		stall(0, 77, 150_000_000),
	}
	for _, record := range records {
		require.NoError(t, p.AppendLog(b, record))
	}
	payload := b.Flush()
	assert.Equal(t, len(records), payload.ByProgram[programtest.Number])
	programtest.AssertSound(t, payload.Logs)
	programtest.CompareLogs(t, "stall.yaml", payload.Logs)
}

func TestAppendLogWithoutBody(t *testing.T) {
	host := programtest.Host(t)
	p, b := newProgram(defaultConfig(), host), programtest.NewBatch(host, false)
	require.NoError(t, p.AppendLog(b, stall(0, 77, 1)))
	assert.Empty(t, b.Flush().Logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).Body().AsString())
}

func TestAppendLogRefuses(t *testing.T) {
	host := programtest.Host(t)
	p, b := newProgram(defaultConfig(), host), programtest.NewBatch(host, true)
	whole := stall(0, 77, 1)
	for length := range whole {
		require.ErrorContains(t, p.AppendLog(b, whole[:length:length]), "is too short")
	}
	whole[1] = 9
	require.EqualError(t, p.AppendLog(b, whole), "runqueue record of unknown event 9")
	assert.Zero(t, b.Len())
}

// A record has at most as many attributes as room is reserved for.
func TestAppendLogAttributes(t *testing.T) {
	host := programtest.Host(t)
	p, b := newProgram(defaultConfig(), host), programtest.NewBatch(host, true)
	require.NoError(t, p.AppendLog(b, stall(programtest.Service, 4242, 1)))
	assert.Equal(t, 7, b.Flush().Logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).Attributes().Len())
}
