// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package inet

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestTransportName(t *testing.T) {
	for protocol, want := range map[uint8]string{
		ProtocolTCP: "tcp", ProtocolUDP: "udp", ProtocolICMP: "icmp", ProtocolICMPv6: "icmpv6", ProtocolSCTP: "sctp", 47: "", 0: "",
	} {
		assert.Equal(t, want, TransportName(protocol, 4), "protocol %d", protocol)
		assert.Equal(t, want, TransportName(protocol, 6), "protocol %d", protocol)
		assert.Empty(t, TransportName(protocol, 0), "packets without IP have no transport")
	}
}

func TestTCPFlags(t *testing.T) {
	for flags, want := range map[uint8]string{
		0: "", 1: "fin", 2: "syn", 4: "rst", 0x12: "syn|ack", 0x11: "fin|ack", 0x18: "psh|ack", 0xc2: "syn|ece|cwr",
		0xff: "fin|syn|rst|psh|ack|urg|ece|cwr",
	} {
		assert.Equal(t, want, TCPFlags[flags])
		assert.Equal(t, want, strings.Join(TCPFlagNames[flags], "|"))
	}
}

func TestTypeName(t *testing.T) {
	assert.Equal(t, "ipv4", TypeName(4))
	assert.Equal(t, "ipv6", TypeName(6))
	assert.Empty(t, TypeName(0))
}
