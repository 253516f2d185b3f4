// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package connection

import (
	"net/netip"

	conventions "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/connection"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics/inet"
)

// kind is what the connections of a process to servers with one port, or those to one of its own ports, have in common.
type kind struct {
	owner         common.Owner
	networkDevice [16]int8
	namespace     uint32
	serverPort    uint16
	isIPv4        bool
	transport     uint8
	role          uint8
	attribution   uint8
	subflow       bool
}

func kindOf(e *bpf.ConnectionEvent, remote netip.Addr, owner *common.Owner, attribution uint8) kind {
	k := kind{
		owner: *owner, networkDevice: e.Interface, namespace: e.Netns, serverPort: e.Flow.RemotePort, isIPv4: remote.Is4(),
		transport: e.Transport, role: e.Role, attribution: attribution, subflow: e.Subflow,
	}
	if e.Role == roleServer {
		k.serverPort = e.Flow.LocalPort
	}
	return k
}

// slot is a number for batch.Repeats.
func (k *kind) slot() uint32 {
	return k.owner.Pid ^ uint32(k.serverPort) ^ uint32(k.role)<<6
}

// put puts the attributes that the kind determines.
func (k *kind) put(event *batch.Event) {
	event.PutStr(string(conventions.NetworkTransportKey), transportName(k.transport))
	version := uint8(6)
	if k.isIPv4 {
		version = 4
	}
	event.PutStr(string(conventions.NetworkTypeKey), inet.TypeName(version))
	event.PutInt(string(conventions.ServerPortKey), int64(k.serverPort))
	event.PutStr("ebpf.connection.role", inet.RoleName(k.role))
	if k.subflow {
		event.PutBool("ebpf.connection.subflow", true)
	}
	event.PutOwner(&k.owner, k.attribution)
	event.PutInt("ebpf.network.namespace", int64(k.namespace))
	event.PutText(string(conventions.NetworkInterfaceNameKey), common.Text(k.networkDevice[:]))
}
