// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package diskio

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/diskio"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

// slow returns the record of a write submitted by a process of the host, changed by set.
func slow(set ...func(*bpf.DiskIOEvent)) []byte {
	e := &bpf.DiskIOEvent{Duration: 152_300_000, Sector: 2048, Size: 8192, Operation: programtest.DiskWrite}
	e.Record.Program = programtest.Number
	e.Record.Event = uint8(bpf.DiskIOEventIdEVENT_SLOW)
	e.Record.Time = uint64(programtest.Start) + 1
	e.Owner.Pid, e.Owner.Uid, e.Owner.Cgroup = 4242, 33, programtest.Service
	copy(chars(e.Owner.Comm[:]), "walwriter")
	copy(chars(e.Owner.Executable[:]), "postgres")
	e.Attribution = uint8(common.AttributionCurrent)
	copy(chars(e.Disk[:]), "vda")
	for _, change := range set {
		change(e)
	}
	return programtest.Bytes(e)
}

func chars(s []int8) []byte { return unsafe.Slice((*byte)(unsafe.Pointer(&s[0])), len(s)) }

// of changes the record to another operation with that many bytes.
func of(operation uint8, size uint32) func(*bpf.DiskIOEvent) {
	return func(e *bpf.DiskIOEvent) { e.Operation, e.Size = operation, size }
}

// flush is an operation without a sector.
func flush(e *bpf.DiskIOEvent) { e.Operation, e.Size, e.Sector = programtest.DiskFlush, 0, noSector }

func failed(number uint16) func(*bpf.DiskIOEvent) {
	return func(e *bpf.DiskIOEvent) { e.Error = number }
}

// chargedTo is an operation without a process; 0 is no cgroup.
func chargedTo(cgroup uint64) func(*bpf.DiskIOEvent) {
	return func(e *bpf.DiskIOEvent) {
		e.Owner = bpf.DiskIOEvent{}.Owner
		e.Owner.Cgroup, e.Attribution = cgroup, 0
		if cgroup != 0 {
			e.Attribution = uint8(common.AttributionCgroup)
		}
	}
}

func TestAppendLogGolden(t *testing.T) {
	host := programtest.Host(t)
	p, b := newProgram(defaultConfig(), host), programtest.NewBatch(host, true)
	records := [][]byte{
		slow(),
		slow(of(programtest.DiskRead, 1<<20), func(e *bpf.DiskIOEvent) { e.Owner.Cgroup = programtest.Web }),
		slow(of(programtest.DiskDiscard, 1<<31), chargedTo(0)),
		slow(flush, chargedTo(0), failed(isStatus|10), func(e *bpf.DiskIOEvent) { e.Duration = 30_000_000_000 }),
		slow(chargedTo(programtest.Database), failed(5)),
		slow(of(programtest.DiskZoneAppend, 4096), failed(isStatus|200)),
		slow(of(77, 0), func(e *bpf.DiskIOEvent) { e.Sector = 0 }),
	}
	for _, record := range records {
		require.NoError(t, p.AppendLog(b, record))
	}
	payload := b.Flush()
	assert.Equal(t, len(records), payload.ByProgram[programtest.Number])
	programtest.AssertSound(t, payload.Logs)
	programtest.CompareLogs(t, "slow.yaml", payload.Logs)
}

func TestAppendLogWithoutBody(t *testing.T) {
	host := programtest.Host(t)
	p, b := newProgram(defaultConfig(), host), programtest.NewBatch(host, false)
	require.NoError(t, p.AppendLog(b, slow()))
	assert.Empty(t, b.Flush().Logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).Body().AsString())
}

func TestAppendLogOfBadRecords(t *testing.T) {
	host := programtest.Host(t)
	p, b := newProgram(defaultConfig(), host), programtest.NewBatch(host, true)
	require.EqualError(t, p.AppendLog(b, slow()[:20]), "disk_io record of 20 bytes is too short")
	require.EqualError(t, p.AppendLog(b, slow(func(e *bpf.DiskIOEvent) { e.Record.Event = 9 })), "disk_io record of unknown event 9")
	assert.Zero(t, b.Flush().Logs.LogRecordCount())
}

// A record has at most as many attributes as room is reserved for.
func TestAppendLogAttributes(t *testing.T) {
	host := programtest.Host(t)
	p, b := newProgram(defaultConfig(), host), programtest.NewBatch(host, true)
	require.NoError(t, p.AppendLog(b, slow(failed(5))))
	lr := b.Flush().Logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
	assert.Equal(t, 12, lr.Attributes().Len())
}
