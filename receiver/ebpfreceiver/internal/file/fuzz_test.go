// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package file

import (
	"slices"
	"testing"
	"unsafe"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

func FuzzAppendLog(f *testing.F) {
	seeds := [][]byte{
		newRecord(bpf.FileEvent{Operation: unlinked}, "/tmp/x", ""), newRecord(bpf.FileEvent{Operation: renamed, Uncertain: 1}, "/tmp", "/../../x"),
		newRecord(bpf.FileEvent{Operation: removed, Root: 5, Error: 13}, "/jail/a", "/b/.."), newRecord(bpf.FileEvent{Operation: opened, Flags: ^uint32(0)}, "/etc", ""), nil,
	}
	for _, record := range programtest.Recorded(f) {
		seeds = append(seeds, record)
	}
	for _, seed := range seeds {
		f.Add(seed)
		f.Add(append(slices.Clone(seed), make([]byte, 40)...)) // longer than is known
		f.Add(seed[:len(seed)/2])
	}
	host := programtest.Host(f)
	p, b := newProgram(defaultConfig(), host), programtest.NewBatch(host, true)
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) > 0 {
			raw[0] = uint8(bpf.SocketProgramIdPROGRAM_FILE) // others do not get here
		}
		err := p.AppendLog(b, raw)
		logs := b.Seal().Logs
		if err != nil {
			if n := logs.LogRecordCount(); n != 0 {
				t.Fatalf("%d log records in spite of: %v", n, err)
			}
			return
		}
		if len(raw) < int(unsafe.Sizeof(bpf.FileEvent{})) {
			t.Fatalf("%d bytes were taken for an event", len(raw))
		}
		programtest.AssertSound(t, logs)
	})
}
