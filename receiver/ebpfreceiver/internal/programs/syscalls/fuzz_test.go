// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	"math"
	"testing"
	"unsafe"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/syscalls"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

func FuzzAppendLog(f *testing.F) {
	host := programtest.Host(f)
	sizes := map[bpf.SyscallEventId]uintptr{bpf.SyscallEventIdEVENT_SLOW: unsafe.Sizeof(bpf.SyscallEvent{})}
	programtest.FuzzAppendLog(f, host, newProgram(defaultConfig(), host), sizes,
		slow(programtest.Web, 1, 0), slow(0, math.MaxUint32, math.MinInt64), slow(programtest.Service, compat+3, -512),
	)
}
