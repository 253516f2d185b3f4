// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package inet names values of packet headers and sockets as the semantic conventions do.
package inet

import (
	"net/netip"
	"strings"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
)

// IP protocol numbers.
const (
	ProtocolICMP   = 1
	ProtocolTCP    = 6
	ProtocolUDP    = 17
	ProtocolICMPv6 = 58
	ProtocolSCTP   = 132
)

// TransportName returns network.transport of a packet, "" if it is not an IP packet or its protocol has no name.
func TransportName(protocol, ipVersion uint8) string {
	if ipVersion == 0 {
		return ""
	}
	return ProtocolName(protocol)
}

// ProtocolName returns network.transport of an IP protocol, "" for one without a name.
func ProtocolName(protocol uint8) string {
	switch protocol {
	case ProtocolTCP:
		return "tcp"
	case ProtocolUDP:
		return "udp"
	case ProtocolICMP:
		return "icmp"
	case ProtocolICMPv6:
		return "icmpv6"
	case ProtocolSCTP:
		return "sctp"
	default:
		return ""
	}
}

// TypeName returns network.type of an IP version, "" if it is not IP.
func TypeName(ipVersion uint8) string {
	switch ipVersion {
	case 4:
		return "ipv4"
	case 6:
		return "ipv6"
	default:
		return ""
	}
}

// TypeOf returns network.type of an address.
func TypeOf(address netip.Addr) string {
	if address.Is4() {
		return TypeName(4)
	}
	return TypeName(6)
}

// RoleName returns ebpf.connection.role, "" if the role is not known.
func RoleName(role uint8) string {
	switch common.Role(role) {
	case common.RoleClient:
		return "client"
	case common.RoleServer:
		return "server"
	default:
		return ""
	}
}

// TCPFlagNames lists the flags of each combination in a TCP header, the lowest bit first.
var TCPFlagNames = func() (names [256][]string) {
	flags := [...]string{"fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr"}
	for combination := range names {
		for bit, flag := range flags {
			if combination&(1<<bit) != 0 {
				names[combination] = append(names[combination], flag)
			}
		}
	}
	return names
}()

// TCPFlags joins the same names for people and for metrics, as in "syn|ack".
var TCPFlags = func() (joined [256]string) {
	for combination, names := range TCPFlagNames {
		joined[combination] = strings.Join(names, "|")
	}
	return joined
}()
