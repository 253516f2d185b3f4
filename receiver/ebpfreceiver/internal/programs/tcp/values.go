// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package tcp

import (
	"strconv"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/tcp"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
)

// Numbers of the BPF side.
const (
	eventRetransmit = uint8(bpf.TCPEventIdEVENT_RETRANSMIT)
	resetSent       = uint8(bpf.TCPEventIdEVENT_RESET_SENT)
	resetReceived   = uint8(bpf.TCPEventIdEVENT_RESET_RECEIVED)

	roleClient = uint8(common.RoleClient)
	roleServer = uint8(common.RoleServer)
	noReason   = ^uint32(0)
)

var eventNames = [...]string{
	eventRetransmit: "ebpf.tcp.retransmit",
	resetSent:       "ebpf.tcp.reset",
	resetReceived:   "ebpf.tcp.reset",
}

var retransmitTypes = [...]string{
	bpf.TCPRetransmitRETRANSMIT_SYN:             "syn",
	bpf.TCPRetransmitRETRANSMIT_SYN_ACK:         "syn_ack",
	bpf.TCPRetransmitRETRANSMIT_FAST:            "fast",
	bpf.TCPRetransmitRETRANSMIT_TIMEOUT:         "timeout",
	bpf.TCPRetransmitRETRANSMIT_TAIL_LOSS_PROBE: "tail_loss_probe",
}

// states are those of include/net/tcp_states.h by the names of network.connection.state; a request that waits for the end of its
// handshake is in state syn_received, too.
var states = [...]string{
	1: "established", 2: "syn_sent", 3: "syn_received", 4: "fin_wait_1", 5: "fin_wait_2", 6: "time_wait", 7: "closed",
	8: "close_wait", 9: "last_ack", 10: "listen", 11: "closing", 12: "syn_received",
}

// nameIn returns the name of a number, "" if it has none.
func nameIn(names []string, number uint8) string {
	if int(number) < len(names) {
		return names[number]
	}
	return ""
}

// reasons are this kernel's reasons for resets; their numbers differ from kernel to kernel.
type reasons struct{ names map[uint64]string }

func reasonsOf(types *kernel.BTF) reasons {
	return reasons{types.EnumNames("sk_rst_reason", "SK_RST_REASON_")}
}

// name returns a reason in lower case, in decimal if it has no name, "" if the kernel gave none.
func (r reasons) name(reason uint32) string {
	if reason == noReason {
		return ""
	}
	if name := r.names[uint64(reason)]; name != "" {
		return name
	}
	return strconv.FormatUint(uint64(reason), 10)
}
