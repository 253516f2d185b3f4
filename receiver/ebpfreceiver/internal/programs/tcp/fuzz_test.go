// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package tcp

import (
	"testing"
	"unsafe"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/tcp"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

func FuzzAppendLog(f *testing.F) {
	host := programtest.Host(f)
	sizes := map[bpf.TCPEventId]uintptr{
		bpf.TCPEventIdEVENT_RETRANSMIT:     unsafe.Sizeof(bpf.TCPEvent{}),
		bpf.TCPEventIdEVENT_RESET_SENT:     unsafe.Sizeof(bpf.TCPEvent{}),
		bpf.TCPEventIdEVENT_RESET_RECEIVED: unsafe.Sizeof(bpf.TCPEvent{}),
	}
	programtest.FuzzAppendLog(f, host, newProgram(defaultConfig(), host), sizes,
		event(eventRetransmit, v4, v4peer, again(bpf.TCPRetransmitRETRANSMIT_FAST, 3)),
		event(eventRetransmit, v4, v4peer, again(250, 1<<31), in(250, 250)),
		event(resetSent, v6, v6peer, because(1<<31), nobodys(0)),
		event(resetReceived, v4, v4peer, inCgroup(programtest.Database)),
		event(250, v4, v4peer),
	)
}
