// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/syscalls"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

func chars(s []int8) []byte { return unsafe.Slice((*byte)(unsafe.Pointer(&s[0])), len(s)) }

// slow returns the record of a call that took 1.25 s.
func slow(cgroup uint64, call int, result int64) []byte {
	e := &bpf.SyscallEvent{Duration: 1_250_000_000, Result: result, Call: uint32(call)}
	if result < 0 && result >= -4095 {
		e.Error = uint16(-result)
	}
	e.Record.Program = programtest.Number
	e.Record.Event = uint8(bpf.SyscallEventIdEVENT_SLOW)
	e.Record.Time = uint64(programtest.Start) + 1
	e.Owner.Pid, e.Owner.Uid, e.Owner.Cgroup = 100, 33, cgroup
	copy(chars(e.Owner.Comm[:]), "walwriter")
	copy(chars(e.Owner.Executable[:]), "postgres")
	return programtest.Bytes(e)
}

func TestAppendLogGolden(t *testing.T) {
	host := programtest.Host(t)
	p, b := newProgram(defaultConfig(), host), programtest.NewBatch(host, true)
	for _, record := range [][]byte{
		slow(programtest.Database, numberOf(t, "fsync"), 0),
		slow(programtest.Web, numberOf(t, "sendfile"), 4096),
		slow(programtest.Service, numberOf(t, "openat"), -5),
		slow(programtest.Service, numberOf(t, "connect"), -110),
		slow(programtest.Service, numberOf(t, "fcntl"), -512),
		slow(programtest.Service, numberOf(t, "mmap"), -4096), // an address
		slow(1<<50, 600, -38), // of an unknown cgroup, with a number without a name
		slow(0, unknownCall, -3000),
	} {
		require.NoError(t, p.AppendLog(b, record))
	}
	logs := b.Flush().Logs
	programtest.AssertSound(t, logs)
	programtest.CompareLogs(t, "slow.yaml", logs)
}

func TestAppendLogWithoutBody(t *testing.T) {
	host := programtest.Host(t)
	p, b := newProgram(defaultConfig(), host), programtest.NewBatch(host, false)
	require.NoError(t, p.AppendLog(b, slow(programtest.Web, 1, 0)))
	lr := b.Flush().Logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
	assert.Empty(t, lr.Body().AsString())
	assert.Equal(t, 8, lr.Attributes().Len(), "as many as room is reserved for")
}

func TestAppendLogOfBadRecords(t *testing.T) {
	host := programtest.Host(t)
	p, b := newProgram(defaultConfig(), host), programtest.NewBatch(host, true)
	record := slow(programtest.Web, 1, 0)
	require.EqualError(t, p.AppendLog(b, record[:20]), "syscall record of 20 bytes is too short")
	record[1] = 1
	require.EqualError(t, p.AppendLog(b, record), "syscall record of unknown event 1")
	assert.Zero(t, b.Flush().Logs.LogRecordCount())
}
