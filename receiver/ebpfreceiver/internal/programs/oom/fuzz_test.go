// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package oom

import (
	"testing"
	"unsafe"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/oom"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

func FuzzAppendLog(f *testing.F) {
	host := programtest.Host(f)
	sizes := map[bpf.OomEventId]uintptr{bpf.OomEventIdEVENT_KILL: unsafe.Sizeof(bpf.OomEvent{})}
	programtest.FuzzAppendLog(f, host, newTestProgram(host), sizes,
		kill(programtest.Web), kill(0, func(e *bpf.OomEvent) { e.HasMemory = 0 }),
	)
}
