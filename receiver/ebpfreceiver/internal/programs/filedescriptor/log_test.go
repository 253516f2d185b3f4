// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package filedescriptor

import (
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/filedescriptor"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

func chars(s []int8) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s))
}

func leakIn(cgroup uint64, kind int, open, growth uint32, duration time.Duration) *leak {
	l := &leak{kind: kind, open: open, growth: growth, duration: duration}
	l.owner.Pid, l.owner.Uid, l.owner.Cgroup = 4242, 33, cgroup
	copy(chars(l.owner.Comm[:]), "worker")
	copy(chars(l.owner.Executable[:]), "java")
	return l
}

func TestAppendLeakGolden(t *testing.T) {
	host := programtest.Host(t)
	p, b := newProgram(defaultConfig(), host).(*descriptors), programtest.NewBatch(host, true)
	for _, l := range []*leak{
		leakIn(programtest.Service, socket, 134, 120, 300*time.Second),
		leakIn(programtest.WebChild, file, 2, 2, 1500*time.Millisecond),
		leakIn(0, int(bpf.FileDescriptorKindKIND_OTHER), 1<<31, 1<<31, 24*time.Hour),
		leakIn(0, pipe, 3, 3, 0),
	} {
		p.appendLeak(b, l, programtest.Start+1)
	}
	payload := b.Flush()
	programtest.AssertSound(t, payload.Logs)
	programtest.CompareLogs(t, "leak.yaml", payload.Logs)
}

func TestAppendLeakWithoutBody(t *testing.T) {
	host := programtest.Host(t)
	p, b := newProgram(defaultConfig(), host).(*descriptors), programtest.NewBatch(host, false)
	p.appendLeak(b, leakIn(0, 1, 2, 3, 4), programtest.Start+1)
	assert.Empty(t, b.Flush().Logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).Body().AsString())
}

// Names of processes may be any bytes.
func FuzzAppendLeak(f *testing.F) {
	host := programtest.Host(f)
	p, b := newProgram(defaultConfig(), host).(*descriptors), programtest.NewBatch(host, true)
	f.Add(programtest.Web, uint32(7), "worker", "java", uint8(1), uint32(2), uint32(3), int64(4))
	f.Add(uint64(0), uint32(0), "", "caf\xe9", uint8(99), uint32(1<<31), uint32(1<<31), int64(1<<62))
	f.Fuzz(func(t *testing.T, cgroup uint64, pid uint32, comm, executable string, kind uint8, open, growth uint32, duration int64) {
		l := &leak{kind: int(kind) % kinds, open: open, growth: growth, duration: time.Duration(max(duration, 0))}
		l.owner.Pid, l.owner.Cgroup = pid, cgroup
		copy(chars(l.owner.Comm[:len(l.owner.Comm)-1]), comm)
		copy(chars(l.owner.Executable[:len(l.owner.Executable)-1]), executable)
		p.appendLeak(b, l, programtest.Start)
		payload := b.Flush()
		require.Equal(t, 1, payload.Count)
		programtest.AssertSound(t, payload.Logs)
	})
}

// The BPF side writes no records: whatever is in the ring is refused.
func TestAppendLogRefuses(t *testing.T) {
	host := programtest.Host(t)
	p, b := newProgram(defaultConfig(), host), programtest.NewBatch(host, true)
	assert.Zero(t, p.Events())
	for length := range 200 {
		require.ErrorContains(t, p.AppendLog(b, make([]byte, length)), "writes no records")
	}
	assert.Zero(t, b.Len())
}
