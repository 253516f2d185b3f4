// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package packetdrop

import (
	"testing"
	"unsafe"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/packetdrop"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics/inet"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

func FuzzAppendLog(f *testing.F) {
	host := programtest.Host(f)
	sizes := map[bpf.PacketDropEventId]uintptr{bpf.PacketDropEventIdEVENT_DROP: unsafe.Sizeof(bpf.PacketDropEvent{})}
	programtest.FuzzAppendLog(f, host, newProgram(defaultConfig(), host), sizes,
		drop(inet.ProtocolTCP, "10.0.0.9:1", "10.0.0.5:2", flags(0xff), owned(common.AttributionSocket, programtest.Web)),
		drop(inet.ProtocolUDP, "[2001:db8::9]:1", "[2001:db8::5]:2", inCgroup(programtest.Database)),
		drop(0, "10.0.0.9:1", "10.0.0.5:2", notIP, because(1<<31)),
	)
}
