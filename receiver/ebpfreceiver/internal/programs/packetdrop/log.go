// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package packetdrop

import (
	"fmt"

	"go.opentelemetry.io/collector/pdata/plog"
	conventions "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/packetdrop"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics/inet"
)

// AppendLog implements program.Program.
func (d *drops) AppendLog(b *batch.Batch, raw []byte) error {
	e, ok := common.View[bpf.PacketDropEvent](raw)
	if !ok {
		return fmt.Errorf("packet_drop record of %d bytes is too short", len(raw))
	}
	if bpf.PacketDropEventId(e.Record.Event) != bpf.PacketDropEventIdEVENT_DROP {
		return fmt.Errorf("packet_drop record of unknown event %d", e.Record.Event)
	}
	owner := common.OwnerOf(&e.Owner)
	reason, subsystem := d.host.DropReason(e.Reason)
	location := d.host.Location(e.Location)
	event := b.Event(common.RecordOf(&e.Record), owner.Cgroup, "ebpf.packet.drop", plog.SeverityNumberWarn)
	event.PutStr("ebpf.drop.reason", reason)
	event.PutStr("ebpf.drop.subsystem", subsystem)
	event.PutStr("ebpf.drop.location", location)
	if failsConnection(e, reason, location) {
		event.PutStr("ebpf.connection.cause", "local_drop")
	}
	putPacket(event, e)
	event.PutText(string(conventions.NetworkInterfaceNameKey), common.Text(e.Interface[:]))
	event.PutOwner(owner, e.Attribution)
	if e.Cookie != 0 {
		event.PutInt("ebpf.socket.cookie", int64(e.Cookie))
	}
	if e.Netns != 0 {
		event.PutInt("ebpf.network.namespace", int64(e.Netns))
	}
	event.End(func(text []byte) []byte { return appendBody(b, text, e, owner, reason, location) })
	return nil
}

// flagSYN is the bit of SYN in the flags of a TCP header.
const flagSYN = 1 << 1

// failsConnection reports whether a connection may fail because this packet was dropped: a SYN or its answer. A SYN that finds no
// listener is answered with a reset.
func failsConnection(e *bpf.PacketDropEvent, reason, location string) bool {
	if e.Packet.Protocol != inet.ProtocolTCP || e.Packet.TcpFlags&flagSYN == 0 {
		return false
	}
	if reason != "" && reason != "not_specified" {
		return reason != "no_socket"
	}
	return location != "tcp_v4_rcv" && location != "tcp_v6_rcv"
}

func putPacket(event *batch.Event, e *bpf.PacketDropEvent) {
	p := &e.Packet
	event.PutStr(string(conventions.NetworkTransportKey), inet.TransportName(p.Protocol, p.Type))
	if name := inet.TypeName(p.Type); name != "" {
		event.PutStr(string(conventions.NetworkTypeKey), name)
		event.PutAddress(string(conventions.SourceAddressKey), common.Addr(p.Flow.Local.Octets))
		event.PutAddress(string(conventions.DestinationAddressKey), common.Addr(p.Flow.Remote.Octets))
	}
	if p.Flow.RemotePort != 0 {
		event.PutInt(string(conventions.SourcePortKey), int64(p.Flow.LocalPort))
		event.PutInt(string(conventions.DestinationPortKey), int64(p.Flow.RemotePort))
	}
	if p.Protocol == inet.ProtocolTCP && p.TcpFlags != 0 {
		event.PutStrings("ebpf.tcp.flags", inet.TCPFlagNames[p.TcpFlags])
	}
	event.PutInt("ebpf.packet.size", int64(p.Size))
}

// appendBody appends the line for people, such as
// "tcp 10.0.0.9:51234 → 10.0.0.5:443 dropped: netfilter_drop in nf_hook_slow, nginx[100]".
func appendBody(b *batch.Batch, text []byte, e *bpf.PacketDropEvent, owner *common.Owner, reason, location string) []byte {
	p := &e.Packet
	if name := inet.TransportName(p.Protocol, p.Type); name != "" {
		text = append(append(text, name...), ' ')
	}
	if p.Type != 0 {
		networkInterface := common.Text(e.Interface[:])
		text = append(b.AppendEndpointOn(text, common.Addr(p.Flow.Local.Octets), p.Flow.LocalPort, networkInterface), " → "...)
		text = append(b.AppendEndpointOn(text, common.Addr(p.Flow.Remote.Octets), p.Flow.RemotePort, networkInterface), ' ')
	}
	text = append(text, "dropped"...)
	if reason != "" {
		text = append(append(text, ": "...), reason...)
	}
	if location != "" {
		text = append(append(text, " in "...), location...)
	}
	if owner.Pid != 0 {
		text = b.AppendOwner(append(text, ", "...), owner)
	}
	return text
}
