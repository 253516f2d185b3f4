// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package runqueue

import (
	"testing"
	"unsafe"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/runqueue"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

func FuzzAppendLog(f *testing.F) {
	host := programtest.Host(f)
	sizes := map[bpf.RunqueueEventId]uintptr{bpf.RunqueueEventIdEVENT_STALL: unsafe.Sizeof(bpf.RunqueueEvent{})}
	programtest.FuzzAppendLog(f, host, newProgram(defaultConfig(), host), sizes,
		stall(programtest.Web, 4242, 1), stall(0, 0, 1<<63),
	)
}
