// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package packetdrop

import (
	"go.uber.org/zap"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/packetdrop"
)

// Functions in which older kernels free delivered packets with kfree_skb and no reason.
var (
	// consumed free what is left in a closed socket (of TCP before Linux 6.7, of UDP on every kernel), and processed ICMPv6
	// messages (before 6.3). Newer kernels give the reason queue_purge, or consumed.
	consumed = []string{
		"sk_stream_kill_queues", "inet_sock_destruct", "skb_queue_purge", "skb_rbtree_purge",
		"udp_destruct_sock", "udp_destruct_common", "udpv6_destruct_sock",
		"icmpv6_rcv",
	}
	// consumedIfClosing free a final FIN or RST this way, but also real drops; the BPF side looks at the header.
	consumedIfClosing = []string{"tcp_v4_rcv", "tcp_v6_rcv"}
)

// Ranges of code that the BPF side has room for. Most functions have two: the compiler moves unlikely code elsewhere.
type (
	consumedCode          [24]bpf.PacketDropCode
	consumedIfClosingCode [8]bpf.PacketDropCode
)

// consumedVariables has the addresses of these functions, as far as the kernel shows them.
func (d *drops) consumedVariables() map[string]any {
	var (
		always consumedCode
		ends   consumedIfClosingCode
	)
	d.locate(always[:], consumed)
	d.locate(ends[:], consumedIfClosing)
	return map[string]any{bpf.PacketDropVarConsumed: always, bpf.PacketDropVarConsumedIfClosing: ends}
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
