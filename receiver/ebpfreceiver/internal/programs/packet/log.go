// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package packet

import (
	"fmt"

	"go.opentelemetry.io/collector/pdata/plog"
	conventions "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/packet"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics/inet"
)

// AppendLog implements program.Program.
func (p *packets) AppendLog(b *batch.Batch, raw []byte) error {
	e, ok := common.View[bpf.PacketEvent](raw)
	if !ok {
		return fmt.Errorf("packet record of %d bytes is too short", len(raw))
	}
	if bpf.PacketEventId(e.Record.Event) != bpf.PacketEventIdEVENT_SAMPLE {
		return fmt.Errorf("packet record of unknown event %d", e.Record.Event)
	}
	event := b.Event(common.RecordOf(&e.Record), 0, "ebpf.packet.sample", plog.SeverityNumberInfo)
	event.PutText(string(conventions.NetworkInterfaceNameKey), common.Text(e.Interface[:]))
	putFrame(event, &e.Frame)
	event.End(func(text []byte) []byte { return appendBody(b, text, e) })
	return nil
}

func putFrame(event *batch.Event, f *bpf.PacketFrame) {
	p := &f.Packet
	event.PutStr(string(conventions.NetworkTransportKey), inet.TransportName(p.Protocol, p.Type))
	if version := inet.TypeName(p.Type); version != "" {
		event.PutStr(string(conventions.NetworkTypeKey), version)
		event.PutAddress(string(conventions.SourceAddressKey), common.Addr(p.Flow.Local.Octets))
		event.PutAddress(string(conventions.DestinationAddressKey), common.Addr(p.Flow.Remote.Octets))
		event.PutInt("ebpf.packet.ttl", int64(f.Ttl))
	}
	if p.Flow.RemotePort != 0 {
		event.PutInt(string(conventions.SourcePortKey), int64(p.Flow.LocalPort))
		event.PutInt(string(conventions.DestinationPortKey), int64(p.Flow.RemotePort))
	}
	if p.Protocol == inet.ProtocolTCP && p.TcpFlags != 0 {
		event.PutStrings("ebpf.tcp.flags", inet.TCPFlagNames[p.TcpFlags])
	}
	event.PutInt("ebpf.packet.size", int64(p.Size))
	if f.Traits&isFragment != 0 {
		event.PutBool("ebpf.packet.fragment", true)
	}
	if vlans := f.Vlans[:min(int(f.VlanCount), len(f.Vlans))]; len(vlans) > 0 {
		ids := event.PutSlice("ebpf.packet.vlans")
		for _, id := range vlans {
			ids.AppendEmpty().SetInt(int64(id))
		}
	}
}

// appendBody appends the body, such as "tcp 10.0.0.9:51234 → 10.0.0.5:443 on eth0, syn, 60 B".
func appendBody(b *batch.Batch, text []byte, e *bpf.PacketEvent) []byte {
	p := &e.Frame.Packet
	if transport := inet.TransportName(p.Protocol, p.Type); transport != "" {
		text = append(append(text, transport...), ' ')
	}
	if inet.TypeName(p.Type) != "" {
		text = append(b.AppendEndpoint(text, common.Addr(p.Flow.Local.Octets), p.Flow.LocalPort), " → "...)
		text = b.AppendEndpoint(text, common.Addr(p.Flow.Remote.Octets), p.Flow.RemotePort)
	} else {
		text = append(text, "packet"...)
	}
	if device := common.Text(e.Interface[:]); len(device) > 0 {
		text = append(append(text, " on "...), b.Names.Get(device)...)
	}
	if p.Protocol == inet.ProtocolTCP && p.TcpFlags != 0 {
		text = append(append(text, ", "...), inet.TCPFlags[p.TcpFlags]...)
	}
	return batch.AppendBytes(append(text, ", "...), uint64(p.Size))
}
