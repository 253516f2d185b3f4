// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package connection

import (
	"syscall"
	"testing"
	"unsafe"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/connection"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

func FuzzAppendLog(f *testing.F) {
	host := programtest.Host(f)
	sizes := map[bpf.ConnectionEventId]uintptr{
		bpf.ConnectionEventIdEVENT_CONNECT:      unsafe.Sizeof(bpf.ConnectionEvent{}),
		bpf.ConnectionEventIdEVENT_ACCEPT:       unsafe.Sizeof(bpf.ConnectionEvent{}),
		bpf.ConnectionEventIdEVENT_CLOSE:        unsafe.Sizeof(bpf.ConnectionEvent{}),
		bpf.ConnectionEventIdEVENT_CONNECT_UNIX: unsafe.Sizeof(bpf.ConnectionUnixEvent{}),
	}
	programtest.FuzzAppendLog(f, host, newProgram(defaultConfig(), host), sizes,
		event(connect, "10.0.0.9:1", "10.0.0.5:2", errno(syscall.ECONNREFUSED)),
		event(closed, "[2001:db8::9]:1", "[2001:db8::5]:2", totals),
		event(250, "10.0.0.9:1", "10.0.0.5:2"),
		local("/run/x"),
		local("\x00abstract"),
		local("/", func(e *bpf.ConnectionUnixEvent) { e.Length = 1 << 31 }),
	)
}
