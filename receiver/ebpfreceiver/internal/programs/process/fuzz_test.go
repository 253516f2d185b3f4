// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"testing"
	"unsafe"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/process"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

func FuzzAppendLog(f *testing.F) {
	host := programtest.Host(f)
	sizes := map[bpf.ProcessEventId]uintptr{
		bpf.ProcessEventIdEVENT_EXEC:           unsafe.Sizeof(bpf.ProcessExecEvent{}),
		bpf.ProcessEventIdEVENT_EXEC_ARGUMENTS: unsafe.Sizeof(bpf.ProcessExecEvent{}) + unsafe.Sizeof(bpf.ProcessArguments{}),
		bpf.ProcessEventIdEVENT_EXIT:           unsafe.Sizeof(bpf.ProcessEvent{}),
	}
	programtest.FuzzAppendLog(f, host, newProgram(defaultConfig(), host), sizes,
		execution(programtest.Web, "bash\x00bin\x00", "script"), withArguments("x\x00y\x00", 3), exit(0, 9, 1), exit(programtest.Web, 1<<8, 1),
	)
}
