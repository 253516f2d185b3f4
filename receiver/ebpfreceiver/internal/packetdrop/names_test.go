// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package packetdrop

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestTransportName(t *testing.T) {
	for protocol, want := range map[uint8]string{
		protocolTCP: "tcp", protocolUDP: "udp", protocolICMP: "icmp", protocolICMPv6: "icmpv6", protocolSCTP: "sctp", 47: "", 0: "",
	} {
		assert.Equal(t, want, transportName(protocol, 4), "protocol %d", protocol)
		assert.Equal(t, want, transportName(protocol, 6), "protocol %d", protocol)
		assert.Empty(t, transportName(protocol, 0), "what is not IP has no protocol of it")
	}
}

func TestTCPFlags(t *testing.T) {
	for flags, want := range map[uint8]string{
		0: "", 1: "fin", 2: "syn", 4: "rst", 0x12: "syn|ack", 0x11: "fin|ack", 0x18: "psh|ack", 0xc2: "syn|ece|cwr",
		0xff: "fin|syn|rst|psh|ack|urg|ece|cwr",
	} {
		assert.Equal(t, want, tcpFlags[flags])
	}
}
