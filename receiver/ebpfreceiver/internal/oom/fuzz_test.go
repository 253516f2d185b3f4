// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package oom

import (
	"testing"
	"unsafe"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

func FuzzAppendLog(f *testing.F) {
	host := programtest.Host(f)
	sizes := map[bpf.OomEventId]uintptr{bpf.OomEventIdEVENT_KILL: unsafe.Sizeof(bpf.OomEvent{})}
	programtest.FuzzAppendLog(f, host, newTestProgram(host), Definition.ID, sizes,
		kill(programtest.Web), kill(0, func(e *bpf.OomEvent) { e.HasMemory = 0 }),
	)
}
