// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package inet names what stands in the headers of packets.
package inet

import "strings"

// IP protocol numbers.
const (
	ProtocolICMP   = 1
	ProtocolTCP    = 6
	ProtocolUDP    = 17
	ProtocolICMPv6 = 58
	ProtocolSCTP   = 132
)

// TransportName returns network.transport for a protocol in the header of an IP version, "" for one without a name there.
func TransportName(protocol, ipVersion uint8) string {
	if ipVersion == 0 {
		return ""
	}
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

// TypeName returns network.type for an IP version, "" for what is not IP.
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
