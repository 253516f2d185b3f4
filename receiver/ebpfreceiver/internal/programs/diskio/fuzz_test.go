// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package diskio

import (
	"testing"
	"unsafe"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/diskio"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

func FuzzAppendLog(f *testing.F) {
	host := programtest.Host(f)
	sizes := map[bpf.DiskIOEventId]uintptr{bpf.DiskIOEventIdEVENT_SLOW: unsafe.Sizeof(bpf.DiskIOEvent{})}
	programtest.FuzzAppendLog(f, host, newProgram(defaultConfig(), host), sizes,
		slow(), slow(flush, chargedTo(programtest.Web)), slow(of(250, 1<<31), failed(1<<15)),
		slow(func(e *bpf.DiskIOEvent) { e.Disk = [32]int8{} }),
		slow(func(e *bpf.DiskIOEvent) { e.Record.Event = 250 }),
	)
}
