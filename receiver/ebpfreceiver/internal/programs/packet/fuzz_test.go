// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package packet

import (
	"testing"
	"unsafe"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/packet"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics/inet"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

func FuzzAppendLog(f *testing.F) {
	host := programtest.Host(f)
	sizes := map[bpf.PacketEventId]uintptr{bpf.PacketEventIdEVENT_SAMPLE: unsafe.Sizeof(bpf.PacketEvent{})}
	programtest.FuzzAppendLog(f, host, newProgram(on("eth0"), host), sizes,
		sample(inet.ProtocolTCP, "10.0.0.9:1", "10.0.0.5:2", flags(0xff), tagged(2, 1, 2)),
		sample(inet.ProtocolUDP, "[2001:db8::9]:1", "[2001:db8::5]:2", fragment),
		sample(0, "10.0.0.9:1", "10.0.0.5:2", notIP, tagged(0xff)),
	)
}
