// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package filedescriptor

import (
	"testing"
	"unsafe"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/filedescriptor"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

func FuzzAppendLog(f *testing.F) {
	host := programtest.Host(f)
	sizes := map[bpf.FileDescriptorEventId]uintptr{bpf.FileDescriptorEventIdEVENT_LEAK: unsafe.Sizeof(bpf.FileDescriptorEvent{})}
	programtest.FuzzAppendLog(f, host, newProgram(defaultConfig(), host), sizes,
		leak(programtest.Web, 1, 2, 3, 4), leak(0, 99, 1<<31, 1<<62, 1<<63),
	)
}
