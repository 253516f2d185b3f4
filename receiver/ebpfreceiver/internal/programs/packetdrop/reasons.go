// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package packetdrop

import (
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/packetdrop"
)

// Short names of the BPF side's judgements; bpf/packetdrop/loss.h describes them.
const (
	noLoss     = bpf.PacketDropJudgementJUDGEMENT_NO_LOSS
	noReason   = bpf.PacketDropJudgementJUDGEMENT_NONE
	group      = bpf.PacketDropJudgementJUDGEMENT_GROUP
	thisHost   = bpf.PacketDropJudgementJUDGEMENT_HOST
	noSocket   = bpf.PacketDropJudgementJUDGEMENT_NO_SOCKET
	ofNoUse    = bpf.PacketDropJudgementJUDGEMENT_OF_NO_USE
	segment    = bpf.PacketDropJudgementJUDGEMENT_SEGMENT
	overWindow = bpf.PacketDropJudgementJUDGEMENT_OVER_WINDOW
	queue      = bpf.PacketDropJudgementJUDGEMENT_QUEUE
	outOfOrder = bpf.PacketDropJudgementJUDGEMENT_OUT_OF_ORDER
	link       = bpf.PacketDropJudgementJUDGEMENT_LINK
	filter     = bpf.PacketDropJudgementJUDGEMENT_FILTER
)

// judgements are the reasons that are not always a loss, by their names in the kernel's enum.
var judgements = map[string]bpf.PacketDropJudgement{
	"SKB_NOT_DROPPED_YET":             noLoss,
	"SKB_CONSUMED":                    noLoss,
	"SKB_DROP_REASON_NOT_SPECIFIED":   noReason,
	"SKB_DROP_REASON_QUEUE_PURGE":     noLoss, // left in a socket that is closed
	"SKB_DROP_REASON_NO_SOCKET":       noSocket,
	"SKB_DROP_REASON_SOCKET_FILTER":   filter,
	"SKB_DROP_REASON_IP_OUTNOROUTES":  link,
	"SKB_DROP_REASON_DUP_FRAG":        noLoss, // the fragment has come before
	"SKB_DROP_REASON_QDISC_DROP":      queue,
	"SKB_DROP_REASON_DEV_READY":       queue,
	"SKB_DROP_REASON_UNHANDLED_PROTO": thisHost,
	"SKB_DROP_REASON_OTHERHOST":       thisHost,

	// A packet for a multicast group arrives at every host on the link, member or not.
	"SKB_DROP_REASON_IP_INNOROUTES":            group,
	"SKB_DROP_REASON_IP_INADDRERRORS":          group,
	"SKB_DROP_REASON_IP_INVALID_DEST":          group,
	"SKB_DROP_REASON_IP_NOPROTO":               group,
	"SKB_DROP_REASON_INVALID_PROTO":            group, // ICMP that is not answered to all
	"SKB_DROP_REASON_IPV6DISABLED":             group,
	"SKB_DROP_REASON_IPV6_NDISC_NS_OTHERHOST":  noLoss,
	"SKB_DROP_REASON_NO_TX_TARGET":             group, // nobody else is on the bridge
	"SKB_DROP_REASON_BRIDGE_INGRESS_STP_STATE": group, // it comes by another port, too
	"SKB_DROP_REASON_MAC_IEEE_MAC_CONTROL":     group,
	"SKB_DROP_REASON_TAP_TXFILTER":             group,

	// Data that was received before.
	"SKB_DROP_REASON_TCP_OLD_SEQUENCE":     noLoss,
	"SKB_DROP_REASON_TCP_OLD_DATA":         noLoss,
	"SKB_DROP_REASON_TCP_OFOMERGE":         noLoss,
	"SKB_DROP_REASON_TCP_OFO_DROP":         noLoss,
	"SKB_DROP_REASON_TCP_RFC7323_PAWS_ACK": noLoss,

	// Losses only if the segment carried something new. Reasons that are missing here, such as a wrong checksum or signature,
	// a full backlog or a full listener, are losses for any segment.
	"SKB_DROP_REASON_TCP_ZEROWINDOW":           overWindow,
	"SKB_DROP_REASON_TCP_OVERWINDOW":           overWindow,
	"SKB_DROP_REASON_TCP_RFC7323_PAWS":         segment,
	"SKB_DROP_REASON_TCP_RFC7323_TW_PAWS":      segment,
	"SKB_DROP_REASON_TCP_INVALID_SEQUENCE":     segment,
	"SKB_DROP_REASON_TCP_INVALID_END_SEQUENCE": overWindow,
	"SKB_DROP_REASON_TCP_INVALID_ACK_SEQUENCE": segment,
	"SKB_DROP_REASON_TCP_INVALID_SYN":          segment,
	"SKB_DROP_REASON_TCP_TOO_OLD_ACK":          segment,
	"SKB_DROP_REASON_TCP_ACK_UNSENT_DATA":      segment,
	"SKB_DROP_REASON_TCP_ABORT_ON_DATA":        segment,
	"SKB_DROP_REASON_TCP_RESET":                segment,
	"SKB_DROP_REASON_TCP_CLOSE":                ofNoUse,
	"SKB_DROP_REASON_TCP_FLAGS":                ofNoUse,
	"SKB_DROP_REASON_TCP_FASTOPEN":             segment,
	"SKB_DROP_REASON_TCP_OFO_QUEUE_PRUNE":      outOfOrder,
}

// judgementsOfKernel returns them by the numbers that this kernel gives the reasons.
func (d *drops) judgementsOfKernel() (byNumber [256]uint8) {
	for name, judgement := range judgements {
		if number, ok := d.host.BTF.EnumValue("skb_drop_reason", name); ok && number < uint64(len(byNumber)) {
			byNumber[number] = uint8(judgement)
		}
	}
	return byNumber
}
