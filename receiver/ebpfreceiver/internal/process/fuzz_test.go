// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"slices"
	"testing"
	"unsafe"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

func FuzzAppendLog(f *testing.F) {
	seeds := [][]byte{
		execution(programtest.Web, "bash\x00bin\x00", "script"), withArguments("x\x00y\x00", 3), exit(0, 9, 1), exit(programtest.Web, 1<<8, 1), nil,
	}
	for _, record := range programtest.Recorded(f) {
		seeds = append(seeds, record)
	}
	for _, seed := range seeds {
		f.Add(seed)
		f.Add(append(slices.Clone(seed), make([]byte, 40)...)) // longer than is known
		f.Add(seed[:len(seed)/2])
	}
	sizes := map[bpf.ProcessEventId]uintptr{
		bpf.ProcessEventIdEVENT_EXEC:           unsafe.Sizeof(bpf.ProcessExecEvent{}),
		bpf.ProcessEventIdEVENT_EXEC_ARGUMENTS: unsafe.Sizeof(bpf.ProcessExecEvent{}) + unsafe.Sizeof(bpf.ProcessArguments{}),
		bpf.ProcessEventIdEVENT_EXIT:           unsafe.Sizeof(bpf.ProcessEvent{}),
	}
	host := programtest.Host(f)
	p, b := newProgram(defaultConfig(), host), programtest.NewBatch(host, true)
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) > 0 {
			raw[0] = uint8(bpf.SocketProgramIdPROGRAM_PROCESS) // others do not get here
		}
		err := p.AppendLog(b, raw)
		logs := b.Seal().Logs
		if err != nil {
			if n := logs.LogRecordCount(); n != 0 {
				t.Fatalf("%d log records in spite of: %v", n, err)
			}
			return
		}
		size, known := sizes[bpf.ProcessEventId(raw[1])]
		if !known {
			t.Fatalf("event %d was taken for one that is known", raw[1])
		}
		if len(raw) < int(size) {
			t.Fatalf("%d bytes were taken for a record of %d", len(raw), size)
		}
		programtest.AssertSound(t, logs)
	})
}
