// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package connection

import (
	"fmt"
	"net/netip"

	"go.opentelemetry.io/collector/pdata/plog"
	conventions "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/connection"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics/inet"
)

// Numbers of the BPF side.
const (
	tcp         = 6
	udp         = 17
	unix        = 255
	eventUnix   = uint8(bpf.ConnectionEventIdEVENT_CONNECT_UNIX)
	eventAccept = uint8(bpf.ConnectionEventIdEVENT_ACCEPT)
	eventClose  = uint8(bpf.ConnectionEventIdEVENT_CLOSE)
	eventJoin   = uint8(bpf.ConnectionEventIdEVENT_JOIN)
	roleClient  = uint8(common.RoleClient)
	roleServer  = uint8(common.RoleServer)
)

// noRTT is the kernel's value for a shortest round trip that was never measured.
const noRTT = ^uint32(0)

var eventNames = [...]string{
	bpf.ConnectionEventIdEVENT_CONNECT:      "ebpf.connection.connect",
	bpf.ConnectionEventIdEVENT_ACCEPT:       "ebpf.connection.accept",
	bpf.ConnectionEventIdEVENT_CLOSE:        "ebpf.connection.close",
	bpf.ConnectionEventIdEVENT_CONNECT_UNIX: "ebpf.connection.connect",
	bpf.ConnectionEventIdEVENT_JOIN:         "ebpf.connection.join",
}

// AppendLog implements program.Program.
func (c *connections) AppendLog(b *batch.Batch, raw []byte) error {
	if record, ok := common.View[common.Record](raw); ok && record.Event == eventUnix {
		return appendUnix(b, raw)
	}
	e, ok := common.View[bpf.ConnectionEvent](raw)
	if !ok {
		return fmt.Errorf("connection record of %d bytes is too short", len(raw))
	}
	if int(e.Record.Event) >= len(eventNames) {
		return fmt.Errorf("connection record of unknown event %d", e.Record.Event)
	}
	if !c.held.hold(e) {
		c.append(b, e, c.held.take(e))
	}
	return nil
}

// append appends the log record of an event. opened is that of making the connection, which has no log record of its own then; nil
// if it has one.
func (c *connections) append(b *batch.Batch, e, opened *bpf.ConnectionEvent) {
	owner, attribution := common.OwnerOf(&e.Owner), e.Attribution
	if e.Gone {
		if holder := c.holders.of(e); holder != nil {
			owner, attribution = holder, uint8(common.AttributionSocket)
		}
	}
	local, remote := common.Addr(e.Flow.Local.Octets), common.Addr(e.Flow.Remote.Octets)
	failure := errorType(e.Error)
	level := severity(failure)
	if e.Record.Event == eventJoin {
		level = plog.SeverityNumberInfo // the connection goes on without it
	}
	event := b.Event(common.RecordOf(&e.Record), owner.Cgroup, eventNames[e.Record.Event], level)
	known := kindOf(e, remote, owner, attribution)
	c.repeats.Put(event, known.slot(), &known, (*kind).put)
	if e.Role == roleServer {
		putEnds(event, remote, e.Flow.RemotePort, local)
	} else {
		putEnds(event, local, e.Flow.LocalPort, remote)
	}
	if e.Role == roleClient {
		event.PutStr("ebpf.server.domain", b.Domains.Get(owner, remote, e.Record.Time))
	}
	if e.Unsent {
		event.PutBool("ebpf.connection.sent", false)
	}
	event.PutStr(string(conventions.ErrorTypeKey), failure)
	switch {
	case e.Transport == udp:
	case e.Record.Event == eventClose:
		if opened != nil {
			putHandshake(event, opened)
		}
		putTotals(event, e)
		c.ticks.put(event, e)
	default:
		putHandshake(event, e)
	}
	if e.Error != 0 {
		c.putEnding(event, e)
	}
	if e.Cookie != 0 { // before Linux 5.12 a socket is numbered only if a process asks
		event.PutInt("ebpf.socket.cookie", int64(e.Cookie))
	}
	translated, ok := c.sentTo.of(e, local, remote)
	if ok {
		event.PutAddress("ebpf.connection.translated.address", translated.Addr())
		event.PutInt("ebpf.connection.translated.port", int64(translated.Port()))
	}
	event.End(func(text []byte) []byte {
		text = appendBody(b, text, e, owner, remote, translated, failure)
		return c.appendCause(text, e)
	})
}

func putHandshake(event *batch.Event, e *bpf.ConnectionEvent) {
	if e.Duration > 0 {
		event.PutDouble("ebpf.connection.handshake.duration", float64(e.Duration)/1e9)
	}
	if e.Error != 0 && e.Transport == tcp && e.Duration > 0 { // a SYN was sent
		event.PutInt("ebpf.connection.syn.retransmits", int64(e.Retransmits))
	}
}

func putEnds(event *batch.Event, client netip.Addr, clientPort uint16, server netip.Addr) {
	// A datagram socket that is not bound has no address of its own yet.
	if !client.IsUnspecified() {
		event.PutAddress(string(conventions.ClientAddressKey), client)
	}
	if clientPort != 0 {
		event.PutInt(string(conventions.ClientPortKey), int64(clientPort))
	}
	event.PutAddress(string(conventions.ServerAddressKey), server)
}

func putTotals(event *batch.Event, e *bpf.ConnectionEvent) {
	if e.Duration > 0 {
		event.PutDouble("ebpf.connection.duration", float64(e.Duration)/1e9)
	}
	event.PutInt("ebpf.connection.bytes_sent", int64(e.BytesSent))
	event.PutInt("ebpf.connection.bytes_received", int64(e.BytesReceived))
	if e.Rtt > 0 {
		event.PutDouble("ebpf.connection.rtt.smoothed", float64(e.Rtt)/1e6)
	}
	if e.RttMin != noRTT {
		event.PutDouble("ebpf.connection.rtt.min", float64(e.RttMin)/1e6)
	}
	event.PutInt("ebpf.connection.retransmits", int64(e.Retransmits))
}

func appendUnix(b *batch.Batch, raw []byte) error {
	e, ok := common.View[bpf.ConnectionUnixEvent](raw)
	if !ok || int(e.Length) > len(e.Path) {
		return fmt.Errorf("unix connection record of %d bytes is malformed", len(raw))
	}
	owner := common.OwnerOf(&e.Owner)
	failure := errorType(e.Error)
	path := unixPath(b, e)
	event := b.Event(common.RecordOf(&e.Record), owner.Cgroup, eventNames[eventUnix], severity(failure))
	event.PutStr(string(conventions.NetworkTransportKey), transportName(unix))
	event.PutStr(string(conventions.ServerAddressKey), path)
	event.PutStr("ebpf.connection.role", inet.RoleName(uint8(common.RoleClient)))
	event.PutStr(string(conventions.ErrorTypeKey), failure)
	event.PutOwner(owner, uint8(common.AttributionCurrent))
	if e.Cookie != 0 { // the kernel numbers a socket when it is first asked to
		event.PutInt("ebpf.socket.cookie", int64(e.Cookie))
	}
	event.PutInt("ebpf.network.namespace", int64(e.Netns))
	event.End(func(text []byte) []byte { return appendUnixBody(b, text, owner, path, failure) })
	return nil
}

// unixPath returns the name of a unix socket; one in the abstract namespace, which begins with a zero byte, as "@name".
func unixPath(b *batch.Batch, e *bpf.ConnectionUnixEvent) string {
	path := e.Path[:e.Length]
	if len(path) > 0 && path[0] == 0 {
		b.Text = append(b.Text[:0], '@')
		for _, c := range path[1:] {
			b.Text = append(b.Text, byte(c))
		}
		return b.Names.Get(b.Text)
	}
	return b.Names.Get(common.Text(path))
}

func severity(failure string) plog.SeverityNumber {
	if failure != "" {
		return plog.SeverityNumberWarn
	}
	return plog.SeverityNumberInfo
}

// errorType returns error.type for an error of the BPF side, "" for none.
func errorType(failure uint32) string {
	switch failure {
	case uint32(bpf.ConnectionFailureERROR_ABORTED):
		return "aborted"
	case uint32(bpf.ConnectionFailureERROR_OTHER):
		return "_OTHER"
	default:
		return kernel.ErrorType(uint16(failure))
	}
}

// transportName returns network.transport of a socket.
func transportName(transport uint8) string {
	if transport == unix {
		return "unix"
	}
	return inet.ProtocolName(transport)
}
