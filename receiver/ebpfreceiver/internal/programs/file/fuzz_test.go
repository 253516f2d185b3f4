// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package file

import (
	"testing"
	"unsafe"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/file"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

func FuzzAppendLog(f *testing.F) {
	host := programtest.Host(f)
	sizes := map[bpf.FileEventId]uintptr{
		bpf.FileEventIdEVENT_DELETE: unsafe.Sizeof(bpf.FileEvent{}),
		bpf.FileEventIdEVENT_OPEN:   unsafe.Sizeof(bpf.FileEvent{}),
	}
	programtest.FuzzAppendLog(f, host, newProgram(defaultConfig(), host), sizes,
		newRecord(bpf.FileEvent{Operation: unlinked}, "/tmp/x", ""), newRecord(bpf.FileEvent{Operation: renamed, Uncertain: 1}, "/tmp", "/../../x"),
		newRecord(bpf.FileEvent{Operation: removed, Root: 5, Error: 13}, "/jail/a", "/b/.."), newRecord(bpf.FileEvent{Operation: opened, Flags: ^uint32(0)}, "/etc", ""),
	)
}
