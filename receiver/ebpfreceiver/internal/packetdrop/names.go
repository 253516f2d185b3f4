// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package packetdrop

import "strings"

// IP protocol numbers.
const (
	protocolICMP   = 1
	protocolTCP    = 6
	protocolUDP    = 17
	protocolICMPv6 = 58
	protocolSCTP   = 132
)

// transportName returns network.transport for a protocol in an IP header, "" for one without a name there.
func transportName(protocol, ipVersion uint8) string {
	if ipVersion == 0 {
		return ""
	}
	switch protocol {
	case protocolTCP:
		return "tcp"
	case protocolUDP:
		return "udp"
	case protocolICMP:
		return "icmp"
	case protocolICMPv6:
		return "icmpv6"
	case protocolSCTP:
		return "sctp"
	default:
		return ""
	}
}

func typeName(ipVersion uint8) string {
	switch ipVersion {
	case 4:
		return "ipv4"
	case 6:
		return "ipv6"
	default:
		return ""
	}
}

// tcpFlags names each combination of the flags in a TCP header, the lowest bit first, as in "syn|ack".
var tcpFlags = func() (names [256]string) {
	flags := [...]string{"fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr"}
	for combination := range names {
		var set []string
		for bit, flag := range flags {
			if combination&(1<<bit) != 0 {
				set = append(set, flag)
			}
		}
		names[combination] = strings.Join(set, "|")
	}
	return names
}()
