// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package packetdrop

import (
	"go.uber.org/zap"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/packetdrop"
)

// Functions that free delivered packets with kfree_skb, as if they dropped them, without a reason or with NOT_SPECIFIED. The
// BPF side recognises these frees by the address that they come from.
var (
	// consumed free what is left in a socket that is closed (TCP before Linux 6.7, UDP on all kernels), and ICMPv6 messages
	// that were handled (before 6.3). Newer kernels give the reason queue_purge or consumed.
	consumed = []string{
		"sk_stream_kill_queues", "inet_sock_destruct", "skb_queue_purge", "skb_rbtree_purge",
		"udp_destruct_sock", "udp_destruct_common", "udpv6_destruct_sock",
		"icmpv6_rcv",
	}
	// consumedIfClosing free a final FIN or RST this way, but also real drops; the BPF side looks at the header.
	consumedIfClosing = []string{"tcp_v4_rcv", "tcp_v6_rcv"}
)

// Ranges of code that the BPF side has room for. Most functions have two: the compiler moves cold code elsewhere.
type (
	consumedCode          [24]bpf.PacketDropCode
	consumedIfClosingCode [8]bpf.PacketDropCode
)

// consumedVariables returns where these functions are, as far as the kernel shows addresses.
func (d *drops) consumedVariables() map[string]any {
	var (
		always  consumedCode
		closing consumedIfClosingCode
	)
	d.locate(always[:], consumed)
	d.locate(closing[:], consumedIfClosing)
	return map[string]any{bpf.PacketDropVarConsumed: always, bpf.PacketDropVarConsumedIfClosing: closing}
}

func (d *drops) locate(codes []bpf.PacketDropCode, functions []string) {
	found, err := d.host.Symbols.Functions(functions...)
	if err != nil {
		d.host.Logger.Warn("kallsyms unreadable (CAP_SYSLOG, kptr_restrict): no ebpf.drop.location, and data left in closed sockets is counted as dropped",
			zap.Error(err))
	}
	for i, code := range found[:min(len(found), len(codes))] {
		codes[i].Start, codes[i].Size = code.Start, code.Size
	}
}
