// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package file

import (
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/file"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

// Error numbers of Linux.
const eacces, eisdir, enotempty = 13, 21, 39

// newRecord returns the record of an operation. directory and name are the path, as the BPF side has it.
func newRecord(e bpf.FileEvent, directory, name string) []byte {
	r, owner := common.RecordOf(&e.Record), common.OwnerOf(&e.Owner)
	r.Program, r.Time = programtest.Number, uint64(programtest.Start)+1
	r.Event = uint8(bpf.FileEventIdEVENT_DELETE)
	if e.Operation == opened {
		r.Event = uint8(bpf.FileEventIdEVENT_OPEN)
	}
	owner.Pid, owner.Uid = 4242, 33
	put(owner.Comm[:], "cleaner")
	put(owner.Executable[:], "rm")
	e.Base, e.Length = uint16(len(directory)), uint32(len(directory)+len(name))
	room := 256
	if e.Length >= 256 {
		room = 8192
	}
	raw := append([]byte(nil), programtest.Bytes(&e)...)
	return append(raw, append([]byte(directory+name), make([]byte, room-int(e.Length))...)...)
}

func put(to []int8, text string) {
	copy(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(to))), len(to)), text)
}

// in returns the event with a cgroup.
func in(cgroup uint64, e bpf.FileEvent) bpf.FileEvent {
	e.Owner.Cgroup = cgroup
	return e
}

func TestAppendLogGolden(t *testing.T) {
	for file, records := range map[string][][]byte{
		"delete.yaml": {
			newRecord(in(programtest.Service, bpf.FileEvent{Operation: unlinked}), "/tmp/x", ""),
			newRecord(in(programtest.WebChild, bpf.FileEvent{Operation: removed}), "/var/lib", "/cache/"),
			newRecord(bpf.FileEvent{Operation: renamed}, "/etc/passwd", ""),
			newRecord(bpf.FileEvent{Operation: renamed, Uncertain: 1}, "/etc", "/passwd"),
			newRecord(bpf.FileEvent{Operation: unlinked, Error: eacces}, "/etc", "/../etc/passwd"),
			newRecord(bpf.FileEvent{Operation: removed, Error: enotempty}, "", "/a/.."),
			newRecord(bpf.FileEvent{Operation: renamed, Error: eisdir}, "/jail/home", "/../../x"),
			newRecord(bpf.FileEvent{Operation: unlinked, Root: 5}, "/jail/home", "/../../x"),
			newRecord(bpf.FileEvent{Operation: unlinked}, "/tmp/\xff\xfe/\xfd", ""),
			newRecord(bpf.FileEvent{Operation: unlinked}, "/tmp/a\nb", ""),
			newRecord(bpf.FileEvent{Operation: unlinked}, "", ""), // too deep
			newRecord(bpf.FileEvent{Operation: unlinked}, "/"+strings.Repeat("d/", 200)+"x", ""),
		},
		"open.yaml": {
			newRecord(in(programtest.Database, bpf.FileEvent{Operation: opened, Flags: 0o1101}), "/etc/passwd", ""),
			newRecord(bpf.FileEvent{Operation: opened}, "/etc/passwd", ""),
			newRecord(bpf.FileEvent{Operation: opened, Flags: 2, Error: eacces}, "", "/etc/shadow"),
			newRecord(bpf.FileEvent{Operation: opened, Flags: 0o10000002}, "/etc", ""),
		},
	} {
		t.Run(file, func(t *testing.T) {
			host := programtest.Host(t)
			p, b := newProgram(defaultConfig(), host), programtest.NewBatch(host, true)
			for _, record := range records {
				require.NoError(t, p.AppendLog(b, record))
			}
			payload := b.Flush()
			assert.Equal(t, len(records), payload.ByProgram[programtest.Number])
			programtest.CompareLogs(t, file, payload.Logs)
		})
	}
}

func TestAppendLogWithoutBody(t *testing.T) {
	host := programtest.Host(t)
	p, b := newProgram(defaultConfig(), host), programtest.NewBatch(host, false)
	for _, operation := range []uint8{unlinked, opened} {
		require.NoError(t, p.AppendLog(b, newRecord(bpf.FileEvent{Operation: operation}, "/x", "")))
	}
	for _, lr := range b.Flush().Logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().All() {
		assert.Empty(t, lr.Body().AsString())
	}
}

func TestAppendLogRefuses(t *testing.T) {
	host := programtest.Host(t)
	p, b := newProgram(defaultConfig(), host), programtest.NewBatch(host, true)
	whole := newRecord(bpf.FileEvent{Operation: unlinked}, "/tmp", "/x")
	for length := range int(unsafe.Sizeof(bpf.FileEvent{})) + len("/tmp/x") {
		require.ErrorContains(t, p.AppendLog(b, whole[:length:length]), "file record of")
	}
	for _, operation := range []uint8{opened, opened + 1, 255} {
		unknown := newRecord(bpf.FileEvent{Operation: operation}, "/x", "")
		unknown[1] = uint8(bpf.FileEventIdEVENT_DELETE)
		require.ErrorContains(t, p.AppendLog(b, unknown), "unknown event 0 for operation")
	}
	unknown := newRecord(bpf.FileEvent{Operation: unlinked}, "/x", "")
	for _, event := range []uint8{uint8(bpf.FileEventIdEVENT_OPEN), 9} {
		unknown[1] = event
		require.ErrorContains(t, p.AppendLog(b, unknown), "unknown event")
	}
	crossed := bpf.FileEvent{Operation: unlinked, Root: 9}
	require.ErrorContains(t, p.AppendLog(b, newRecord(crossed, "/tmp", "/x")), "9 a root's")
	assert.Zero(t, b.Len())
}
