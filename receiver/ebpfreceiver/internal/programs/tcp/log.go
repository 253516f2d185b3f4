// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package tcp

import (
	"fmt"
	"net/netip"

	"go.opentelemetry.io/collector/pdata/plog"
	conventions "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/tcp"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics/inet"
)

// AppendLog implements program.Program.
func (s *segments) AppendLog(b *batch.Batch, raw []byte) error {
	e, ok := common.View[bpf.TCPEvent](raw)
	if !ok {
		return fmt.Errorf("tcp record of %d bytes is too short", len(raw))
	}
	if int(e.Record.Event) >= len(eventNames) {
		return fmt.Errorf("tcp record of unknown event %d", e.Record.Event)
	}
	owner := common.OwnerOf(&e.Owner)
	local, remote := common.Addr(e.Flow.Local.Octets), common.Addr(e.Flow.Remote.Octets)
	event := b.Event(common.RecordOf(&e.Record), owner.Cgroup, eventNames[e.Record.Event], plog.SeverityNumberWarn)
	event.PutStr(string(conventions.NetworkTransportKey), "tcp")
	event.PutStr(string(conventions.NetworkTypeKey), inet.TypeOf(remote))
	putEnds(event, e, local, remote)
	s.putWhat(event, e)
	event.PutStr("network.connection.state", nameIn(states[:], e.State))
	event.PutOwner(owner, e.Attribution)
	if e.Cookie != 0 { // the kernel numbers a socket when it is first asked to
		event.PutInt("ebpf.socket.cookie", int64(e.Cookie))
	}
	if e.Netns != 0 {
		event.PutInt("ebpf.network.namespace", int64(e.Netns))
	}
	event.PutText(string(conventions.NetworkInterfaceNameKey), common.Text(e.Interface[:]))
	event.End(func(text []byte) []byte { return s.appendBody(b, text, e, owner, local, remote) })
	return nil
}

// putEnds puts both ends as client and server, or as source and destination of the reset if the roles are unknown.
func putEnds(event *batch.Event, e *bpf.TCPEvent, local, remote netip.Addr) {
	localPort, remotePort := int64(e.Flow.LocalPort), int64(e.Flow.RemotePort)
	put := func(address, port string, to netip.Addr, number int64) {
		event.PutAddress(address, to)
		event.PutInt(port, number)
	}
	switch e.Role {
	case roleClient:
		put(string(conventions.ClientAddressKey), string(conventions.ClientPortKey), local, localPort)
		put(string(conventions.ServerAddressKey), string(conventions.ServerPortKey), remote, remotePort)
	case roleServer:
		put(string(conventions.ClientAddressKey), string(conventions.ClientPortKey), remote, remotePort)
		put(string(conventions.ServerAddressKey), string(conventions.ServerPortKey), local, localPort)
	default:
		put(string(conventions.SourceAddressKey), string(conventions.SourcePortKey), local, localPort)
		put(string(conventions.DestinationAddressKey), string(conventions.DestinationPortKey), remote, remotePort)
		return
	}
	event.PutStr("ebpf.connection.role", inet.RoleName(e.Role))
}

// putWhat puts what only one kind of event has.
func (s *segments) putWhat(event *batch.Event, e *bpf.TCPEvent) {
	switch e.Record.Event {
	case eventRetransmit:
		event.PutStr("ebpf.tcp.retransmit.type", nameIn(retransmitTypes[:], e.Retransmit))
		event.PutInt("ebpf.tcp.retransmit.segments", int64(e.Segments))
	case resetSent:
		event.PutStr(string(conventions.NetworkIODirectionKey), "transmit")
		event.PutStr("ebpf.tcp.reset.reason", s.reasons.name(e.Reason))
	default:
		event.PutStr(string(conventions.NetworkIODirectionKey), "receive")
	}
}

// appendBody appends the line for people, such as "curl[4242] → 10.0.0.5:443 tcp retransmit: timeout" or
// "10.0.0.5:80 → 10.0.0.9:51234 tcp reset sent: no_socket".
func (s *segments) appendBody(b *batch.Batch, text []byte, e *bpf.TCPEvent, owner *common.Owner, local, remote netip.Addr) []byte {
	networkInterface := common.Text(e.Interface[:])
	switch {
	case e.Role == 0:
		text = b.AppendEndpointOn(text, local, e.Flow.LocalPort, networkInterface)
	case owner.Pid != 0:
		text = b.AppendOwner(text, owner)
	default: // nobody's, or not known
		text = b.AppendEndpointOn(text, local, e.Flow.LocalPort, networkInterface)
	}
	if e.Role == roleServer {
		text = append(text, " ← "...)
	} else {
		text = append(text, " → "...)
	}
	text = append(b.AppendEndpointOn(text, remote, e.Flow.RemotePort, networkInterface), " tcp "...)
	what, why := "reset received", ""
	switch e.Record.Event {
	case eventRetransmit:
		what, why = "retransmit", nameIn(retransmitTypes[:], e.Retransmit)
	case resetSent:
		what, why = "reset sent", s.reasons.name(e.Reason)
	}
	text = append(text, what...)
	if why != "" {
		text = append(append(text, ": "...), why...)
	}
	return text
}
