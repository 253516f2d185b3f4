// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package packet

import (
	"slices"
	"testing"
	"unsafe"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/inet"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

func FuzzAppendLog(f *testing.F) {
	seeds := [][]byte{
		sample(inet.ProtocolTCP, "10.0.0.9:1", "10.0.0.5:2", flags(0xff), tagged(2, 1, 2)),
		sample(inet.ProtocolUDP, "[2001:db8::9]:1", "[2001:db8::5]:2", fragment),
		sample(0, "10.0.0.9:1", "10.0.0.5:2", notIP, tagged(0xff)),
		nil,
	}
	for _, record := range programtest.Recorded(f) {
		seeds = append(seeds, record)
	}
	for _, seed := range seeds {
		f.Add(seed)
		f.Add(append(slices.Clone(seed), make([]byte, 40)...)) // longer than is known
		f.Add(seed[:len(seed)/2])
	}
	host := programtest.Host(f)
	p, b := newProgram(on("eth0"), host), programtest.NewBatch(host, true)
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) > 0 {
			raw[0] = uint8(bpf.SocketProgramIdPROGRAM_PACKET) // others do not get here
		}
		err := p.AppendLog(b, raw)
		logs := b.Seal().Logs
		if err != nil {
			if n := logs.LogRecordCount(); n != 0 {
				t.Fatalf("%d log records in spite of: %v", n, err)
			}
			return
		}
		if size := int(unsafe.Sizeof(bpf.PacketEvent{})); len(raw) < size {
			t.Fatalf("%d bytes were taken for a record of %d", len(raw), size)
		}
		if bpf.PacketEventId(raw[1]) != bpf.PacketEventIdEVENT_SAMPLE {
			t.Fatalf("event %d was taken for one that is known", raw[1])
		}
		programtest.AssertSound(t, logs)
	})
}
