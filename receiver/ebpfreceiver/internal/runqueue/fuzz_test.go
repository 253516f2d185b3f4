// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package runqueue

import (
	"slices"
	"testing"
	"unsafe"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

func FuzzAppendLog(f *testing.F) {
	seeds := [][]byte{stall(programtest.Web, 4242, 1), stall(0, 0, 1<<63), nil}
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
			raw[0] = uint8(bpf.SocketProgramIdPROGRAM_RUNQUEUE) // others do not get here
		}
		err := p.AppendLog(b, raw)
		logs := b.Seal().Logs
		if err != nil {
			if n := logs.LogRecordCount(); n != 0 {
				t.Fatalf("%d log records in spite of: %v", n, err)
			}
			return
		}
		if size := int(unsafe.Sizeof(bpf.RunqueueEvent{})); len(raw) < size {
			t.Fatalf("%d bytes were taken for a record of %d", len(raw), size)
		}
		if raw[1] != stalled {
			t.Fatalf("event %d was taken for one that is known", raw[1])
		}
		programtest.AssertSound(t, logs)
	})
}
