// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package packetdrop

import (
	"net/netip"
	"testing"
	"unsafe"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/packetdrop"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics/inet"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

// BenchmarkAppendLog converts records as the reader of the ring buffer does: one with 18 attributes (without the drop
// location if the kernel hides addresses), and one without an owner.
func BenchmarkAppendLog(b *testing.B) {
	owned := func(e *bpf.PacketDropEvent) {
		e.Attribution = uint8(common.AttributionReceivingSocket)
		e.Owner.Pid, e.Owner.Uid, e.Owner.Cgroup = 100, 33, programtest.Service
		copy(unsafe.Slice((*byte)(unsafe.Pointer(&e.Owner.Comm)), len(e.Owner.Comm)), "nginx")
		copy(unsafe.Slice((*byte)(unsafe.Pointer(&e.Owner.Executable)), len(e.Owner.Executable)), "nginx")
		e.Cookie = 4711
	}
	for name, set := range map[string]func(*bpf.PacketDropEvent){"owned": owned, "nobodys": func(*bpf.PacketDropEvent) {}} {
		b.Run(name, func(b *testing.B) {
			var records [][]byte
			for i := range uint16(256) {
				records = append(records, benchmarkRecord(i, set))
			}
			host := programtest.Host(b)
			p, batch := newProgram(defaultConfig(), host), programtest.NewBatch(host, true)
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if err := p.AppendLog(batch, records[i%len(records)]); err != nil {
					b.Fatal(err)
				}
				if i++; batch.Room() == 0 {
					batch.Flush()
				}
			}
		})
	}
}

// benchmarkRecord returns the record of a TCP segment without a socket.
func benchmarkRecord(i uint16, set func(*bpf.PacketDropEvent)) []byte {
	e := &bpf.PacketDropEvent{Reason: programtest.ReasonNoSocket, Location: 0xffffffff81000000 + 1, Netns: 4026531840}
	e.Record.Program = programtest.Number
	e.Record.Event = uint8(bpf.PacketDropEventIdEVENT_DROP)
	e.Record.Time = uint64(programtest.Start) + uint64(i)
	p := &e.Packet
	p.Type, p.Protocol, p.TcpFlags, p.Size = 4, inet.ProtocolTCP, 0b10, 60
	p.Flow.Local.Octets, p.Flow.LocalPort = netip.MustParseAddr("10.0.0.9").As16(), 40000+i
	p.Flow.Remote.Octets, p.Flow.RemotePort = netip.MustParseAddr("10.0.0.5").As16(), 443
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&e.Interface)), len(e.Interface)), "eth0")
	set(e)
	return programtest.Bytes(e)
}
