// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package packetdrop

import (
	"go.uber.org/zap"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/packetdrop"
)

// Where kernels free what they have taken in as they free what they drop, and say no reason, or that it is not specified.
var (
	// takenIn are the functions that free so what is left in a socket that is closed (TCP's before Linux 6.7, UDP's on every
	// kernel), and ICMPv6 messages that were dealt with (before 6.3). Newer kernels name them queue_purge, or consumed.
	takenIn = []string{
		"sk_stream_kill_queues", "inet_sock_destruct", "skb_queue_purge", "skb_rbtree_purge",
		"udp_destruct_sock", "udp_destruct_common", "udpv6_destruct_sock",
		"icmpv6_rcv",
	}
	// takenInEnds free so the last segment of a connection whose end is all that they have waited for, but others too.
	takenInEnds = []string{"tcp_v4_rcv", "tcp_v6_rcv"}
)

// Pieces of code that the kernel half has room for. Most functions have two: the compiler puts what is seldom run elsewhere.
type (
	takenInCode     [24]bpf.PacketDropCode
	takenInEndsCode [8]bpf.PacketDropCode
)

// takenInVariables says where these functions are, as far as the kernel tells.
func (d *drops) takenInVariables() map[string]any {
	var (
		always takenInCode
		ends   takenInEndsCode
	)
	d.locate(always[:], takenIn)
	d.locate(ends[:], takenInEnds)
	return map[string]any{bpf.PacketDropVarTakenIn: always, bpf.PacketDropVarTakenInEnds: ends}
}

func (d *drops) locate(codes []bpf.PacketDropCode, functions []string) {
	found, err := d.host.Symbols.Functions(functions...)
	if err != nil {
		d.host.Logger.Warn("The places of packet drops have no names, and what is left in a closed socket may be among the drops", zap.Error(err))
	}
	for i, code := range found[:min(len(found), len(codes))] {
		codes[i].Start, codes[i].Size = code.Start, code.Size
	}
}
