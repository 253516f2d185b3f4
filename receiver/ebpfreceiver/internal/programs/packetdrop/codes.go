// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package packetdrop

import (
	"cmp"
	"math"
	"slices"

	"go.uber.org/zap"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/packetdrop"
)

// functions free packets with kfree_skb() and no reason although the packets may not be lost. The BPF side recognises these
// frees by their call site.
var functions = map[bpf.PacketDropCodeKind][]string{
	bpf.PacketDropCodeKindCODE_CONSUMES: {
		// They free unread data of a closed socket (TCP before Linux 6.7, UDP on all kernels).
		"sk_stream_kill_queues", "inet_sock_destruct", "skb_queue_purge", "skb_rbtree_purge",
		"udp_destruct_sock", "udp_destruct_common", "udpv6_destruct_sock",
		// It frees handled messages (before 6.3), and messages of neighbours about unknown addresses.
		"icmpv6_rcv",
		// It frees the packet of a BPF_PROG_TEST_RUN.
		"bpf_prog_test_run_skb",
		// They free parts of a buffer. If the buffer was dropped, that was reported.
		"skb_release_data", "skb_release_all", "__kfree_skb",
	},
	// They look up the receivers of a packet.
	bpf.PacketDropCodeKindCODE_ASKS: {
		"ip_rcv", "ip_error", "ip_rcv_core", "ip6_rcv_core", "ipv6_rcv", "ip_rcv_finish_core", "ip_rcv_finish", "ip_mr_input", "ip_mc_output", "icmp_rcv", "ping_rcv", "igmp_rcv",
		"__udp4_lib_rcv", "__udp4_lib_mcast_deliver", "__udp6_lib_rcv", "__udp6_lib_mcast_deliver",
		"ip6_mc_input", "ip6_mr_input", "ip6_finish_output2",
		"stp_pdu_rcv", "br_stp_rcv", "llc_rcv", "__netif_receive_skb_core",
		// They free what black holes take away, and the host's own copies for groups that it has not joined.
		"dst_discard", "dst_discard_out",
	},
	bpf.PacketDropCodeKindCODE_RECEIVES_SEGMENT: {"tcp_v4_rcv", "tcp_v6_rcv"},
	bpf.PacketDropCodeKindCODE_HANDLES_SEGMENT: {
		"tcp_rcv_state_process", "tcp_rcv_established", "tcp_validate_incoming", "tcp_data_queue", "tcp_drop_reason",
		"tcp_v4_do_rcv", "tcp_v6_do_rcv",
	},
	bpf.PacketDropCodeKindCODE_FREES_LISTS: {"kfree_skb_list", "kfree_skb_list_reason"},
	bpf.PacketDropCodeKindCODE_COPIES:      {"raw_rcv", "raw_rcv_skb", "rawv6_rcv", "rawv6_rcv_skb"},
	bpf.PacketDropCodeKindCODE_HANDS_OVER:  {"__dev_forward_skb", "__dev_forward_skb2", "dev_forward_skb", "veth_xmit", "ip6_pkt_drop"},
}

// codes are the ranges of their code that the BPF side has room for. Some functions have two: the compiler moves cold code elsewhere.
type codes [64]bpf.PacketDropCode

// codesOfKernel returns the address ranges of these functions, sorted, if the kernel shows addresses.
func (d *drops) codesOfKernel() (all codes) {
	var found []bpf.PacketDropCode
	for kind, names := range functions {
		ranges, err := d.host.Symbols.Functions(names...)
		if err != nil {
			d.host.Logger.Warn("kallsyms unreadable (CAP_SYSLOG, kptr_restrict): no ebpf.drop.location, and packets that were delivered "+
				"may be counted as dropped", zap.Error(err))
		}
		for _, code := range ranges {
			found = append(found, bpf.PacketDropCode{Start: code.Start, Size: uint32(code.Size), Kind: uint32(kind)})
		}
	}
	slices.SortFunc(found, func(a, b bpf.PacketDropCode) int { return cmp.Compare(a.Start, b.Start) })
	for i := copy(all[:], found); i < len(all); i++ {
		all[i].Start = math.MaxUint64
	}
	return all
}
