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

// Numbers of the kernel half.
const (
	tcp         = 6
	udp         = 17
	unix        = 255
	eventUnix   = uint8(bpf.ConnectionEventIdEVENT_CONNECT_UNIX)
	eventAccept = uint8(bpf.ConnectionEventIdEVENT_ACCEPT)
	eventClose  = uint8(bpf.ConnectionEventIdEVENT_CLOSE)
	roleServer  = uint8(common.RoleServer)
)

// noRTT is the kernel's value for a shortest round trip that was never measured.
const noRTT = ^uint32(0)

var eventNames = [...]string{
	bpf.ConnectionEventIdEVENT_CONNECT:      "ebpf.connection.connect",
	bpf.ConnectionEventIdEVENT_ACCEPT:       "ebpf.connection.accept",
	bpf.ConnectionEventIdEVENT_CLOSE:        "ebpf.connection.close",
	bpf.ConnectionEventIdEVENT_CONNECT_UNIX: "ebpf.connection.connect",
}

// AppendLog implements program.Program.
func (*connections) AppendLog(b *batch.Batch, raw []byte) error {
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
	owner := common.OwnerOf(&e.Owner)
	local, remote := common.Addr(e.Flow.Local.Octets), common.Addr(e.Flow.Remote.Octets)
	failure := errorType(e.Error)
	lr := b.Append(common.RecordOf(&e.Record), owner.Cgroup, eventNames[e.Record.Event], severity(failure))
	attributes := b.Attributes(capacity(e))
	attributes.PutStr(string(conventions.NetworkTransportKey), transportName(e.Transport))
	attributes.PutStr(string(conventions.NetworkTypeKey), inet.TypeOf(remote))
	if e.Role == roleServer {
		putEnds(b, attributes, remote, e.Flow.RemotePort, local, e.Flow.LocalPort)
	} else {
		putEnds(b, attributes, local, e.Flow.LocalPort, remote, e.Flow.RemotePort)
	}
	attributes.PutStr("ebpf.connection.role", inet.RoleName(e.Role))
	if failure != "" {
		attributes.PutStr(string(conventions.ErrorTypeKey), failure)
	}
	if e.Record.Event == eventClose {
		putTotals(attributes, e)
	} else if e.Duration > 0 {
		attributes.PutDouble("ebpf.connection.handshake.duration", float64(e.Duration)/1e9)
	}
	b.PutOwner(attributes, owner, e.Attribution)
	if e.Cookie != 0 { // before Linux 5.12 a socket is numbered only if a process asks
		attributes.PutInt("ebpf.socket.cookie", int64(e.Cookie))
	}
	attributes.PutInt("ebpf.network.namespace", int64(e.Netns))
	attributes.MoveTo(lr.Attributes())
	if b.HasBody() {
		b.Text = appendBody(b, b.Text[:0], e, owner, remote, failure)
		lr.Body().SetStr(string(b.Text))
	}
	return nil
}

// capacity returns how many attributes a log record gets at most.
func capacity(e *bpf.ConnectionEvent) int {
	if e.Record.Event == eventClose {
		return 21
	}
	return 16
}

func putEnds(b *batch.Batch, attributes *batch.Attributes, client netip.Addr, clientPort uint16, server netip.Addr, serverPort uint16) {
	// A datagram socket that is not bound has no address of its own yet.
	if !client.IsUnspecified() {
		attributes.PutStr(string(conventions.ClientAddressKey), b.Addresses.Get(client))
	}
	if clientPort != 0 {
		attributes.PutInt(string(conventions.ClientPortKey), int64(clientPort))
	}
	attributes.PutStr(string(conventions.ServerAddressKey), b.Addresses.Get(server))
	attributes.PutInt(string(conventions.ServerPortKey), int64(serverPort))
}

func putTotals(attributes *batch.Attributes, e *bpf.ConnectionEvent) {
	if e.Duration > 0 {
		attributes.PutDouble("ebpf.connection.duration", float64(e.Duration)/1e9)
	}
	attributes.PutInt("ebpf.connection.bytes_sent", int64(e.BytesSent))
	attributes.PutInt("ebpf.connection.bytes_received", int64(e.BytesReceived))
	if e.Rtt > 0 {
		attributes.PutDouble("ebpf.connection.rtt.smoothed", float64(e.Rtt)/1e6)
	}
	if e.RttMin != noRTT {
		attributes.PutDouble("ebpf.connection.rtt.min", float64(e.RttMin)/1e6)
	}
	attributes.PutInt("ebpf.connection.retransmits", int64(e.Retransmits))
}

func appendUnix(b *batch.Batch, raw []byte) error {
	e, ok := common.View[bpf.ConnectionUnixEvent](raw)
	if !ok || int(e.Length) > len(e.Path) {
		return fmt.Errorf("unix connection record of %d bytes is malformed", len(raw))
	}
	owner := common.OwnerOf(&e.Owner)
	failure := errorType(e.Error)
	path := unixPath(b, e)
	lr := b.Append(common.RecordOf(&e.Record), owner.Cgroup, eventNames[eventUnix], severity(failure))
	attributes := b.Attributes(11)
	attributes.PutStr(string(conventions.NetworkTransportKey), transportName(unix))
	if path != "" {
		attributes.PutStr(string(conventions.ServerAddressKey), path)
	}
	attributes.PutStr("ebpf.connection.role", inet.RoleName(uint8(common.RoleClient)))
	if failure != "" {
		attributes.PutStr(string(conventions.ErrorTypeKey), failure)
	}
	b.PutOwner(attributes, owner, uint8(common.AttributionCurrent))
	if e.Cookie != 0 { // the kernel numbers a socket when it is first asked to
		attributes.PutInt("ebpf.socket.cookie", int64(e.Cookie))
	}
	attributes.PutInt("ebpf.network.namespace", int64(e.Netns))
	attributes.MoveTo(lr.Attributes())
	if b.HasBody() {
		text := append(b.AppendOwner(b.Text[:0], owner), " → "...)
		if path != "" {
			text = append(append(text, path...), ' ')
		}
		b.Text = appendResult(append(text, "unix "...), failure, "connected")
		lr.Body().SetStr(string(b.Text))
	}
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

// errorType returns error.type for an error of the kernel half, "" for none.
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
