// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package connection

import (
	"strconv"

	"go.uber.org/zap"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/connection"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
)

const (
	localDrop    = uint8(bpf.ConnectionCauseCAUSE_LOCAL_DROP)
	rejectedHere = uint8(bpf.ConnectionCauseCAUSE_REJECTED_HERE)
	noAnswer     = uint8(bpf.ConnectionCauseCAUSE_NO_ANSWER)
	gaveUp       = uint8(bpf.ConnectionCauseCAUSE_GAVE_UP)
)

// causes are the values of ebpf.connection.cause, and what the body of an event says for them.
var causes = [...]struct{ value, words string }{
	bpf.ConnectionCauseCAUSE_LOCAL_DROP:       {"local_drop", "dropped here"},
	bpf.ConnectionCauseCAUSE_REJECTED_HERE:    {"rejected_here", "rejected here"},
	bpf.ConnectionCauseCAUSE_RESET_BY_PEER:    {"reset_by_peer", "reset by the peer"},
	bpf.ConnectionCauseCAUSE_ICMP_UNREACHABLE: {"icmp_unreachable", "an ICMP error came back"},
	bpf.ConnectionCauseCAUSE_NO_ANSWER:        {"no_answer", "no answer"},
	bpf.ConnectionCauseCAUSE_NO_ROUTE:         {"no_route", "no route"},
	bpf.ConnectionCauseCAUSE_DENIED:           {"denied", "denied by a filter or policy"},
	bpf.ConnectionCauseCAUSE_NO_LOCAL_PORT:    {"no_local_port", "no free local port"},
	bpf.ConnectionCauseCAUSE_GAVE_UP:          {"gave_up", "given up without an answer"},
	bpf.ConnectionCauseCAUSE_PEER_VANISHED:    {"peer_vanished", "the peer does not answer any more"},
}

// hasCause reports whether a cause is known.
func hasCause(cause uint8) bool { return cause != 0 && int(cause) < len(causes) }

// neighbourFunctions drop the packets to hosts that do not answer ARP or neighbour discovery. The last one appears instead of
// ndisc_error_report where the compiler makes a tail call of its last call.
var neighbourFunctions = []string{"arp_error_report", "ndisc_error_report", "neigh_invalidate"}

// policyReasons are those for which a policy keeps a segment from its socket.
var policyReasons = []string{
	"SOCKET_FILTER", "SECURITY_HOOK", "XFRM_POLICY",
	"TCP_MD5NOTFOUND", "TCP_MD5UNEXPECTED", "TCP_MD5FAILURE",
	"TCP_AONOTFOUND", "TCP_AOUNEXPECTED", "TCP_AOKEYNOTFOUND", "TCP_AOFAILURE",
}

// policies has a bit for each of the policyReasons that this kernel has.
func (c *connections) policies() (words [4]uint64) {
	for _, reason := range policyReasons {
		value, ok := c.host.BTF.EnumValue("skb_drop_reason", "SKB_DROP_REASON_"+reason)
		if ok && value < uint64(len(words)*64) {
			words[value/64] |= 1 << (value % 64)
		}
	}
	return words
}

// variablesOfDrops are the constants of this kernel with which the BPF side explains drops.
func (c *connections) variablesOfDrops() map[string]any {
	arguments, ok := c.host.BTF.TracepointArgs("kfree_skb")
	if !ok {
		arguments = 2
	}
	failed, _ := c.host.BTF.EnumValue("skb_drop_reason", "SKB_DROP_REASON_NEIGH_FAILED") // 0: this kernel does not have it
	noSocket, _ := c.host.BTF.EnumValue("skb_drop_reason", "SKB_DROP_REASON_NO_SOCKET")  // 0 before 5.17
	var functions [6]bpf.ConnectionCodeRange
	ranges, err := c.host.Symbols.Functions(neighbourFunctions...)
	if err != nil {
		c.host.Logger.Warn("kallsyms unreadable (CAP_SYSLOG, kptr_restrict): no ebpf.drop.location, and ebpf.connection.cause may be "+
			"icmp_unreachable where a host does not answer neighbour discovery", zap.Error(err))
	}
	for i := range min(len(functions), len(ranges)) {
		functions[i].Start, functions[i].Size = ranges[i].Start, ranges[i].Size
	}
	return map[string]any{
		bpf.ConnectionVarAwaitsConnect:      c.config.Has(TCP) && c.hasTaskWork(),
		bpf.ConnectionVarKfreeSkbArguments:  uint32(arguments),
		bpf.ConnectionVarNeighbourFailed:    uint32(failed),
		bpf.ConnectionVarNeighbourFunctions: functions,
		bpf.ConnectionVarPolicyReasons:      c.policies(),
		bpf.ConnectionVarNoSocket:           uint32(noSocket),
	}
}

// hasTaskWork reports whether a BPF program can run when a task returns from a system call (Linux 6.18).
func (c *connections) hasTaskWork() bool {
	_, old := c.host.BTF.FunctionArgs("bpf_task_work_schedule_resume_impl")
	_, recent := c.host.BTF.FunctionArgs("bpf_task_work_schedule_resume")
	return old || recent
}

// putEnding puts why a connection failed, or ended with an error.
func (c *connections) putEnding(event *batch.Event, e *bpf.ConnectionEvent) {
	ending := &e.Ending
	if hasCause(ending.Cause) {
		event.PutStr("ebpf.connection.cause", causes[ending.Cause].value)
	}
	if ending.Drops > 0 {
		event.PutInt("ebpf.connection.drops", int64(ending.Drops))
	}
	if ending.Location == 0 {
		return
	}
	reason, subsystem := c.host.DropReason(ending.Reason)
	event.PutStr("ebpf.drop.reason", reason)
	event.PutStr("ebpf.drop.subsystem", subsystem)
	event.PutStr("ebpf.drop.location", c.host.Location(ending.Location))
}

// appendCause appends why a connection failed, such as ": 3 SYNs sent, all dropped here (netfilter_drop in nf_hook_slow)".
func (c *connections) appendCause(text []byte, e *bpf.ConnectionEvent) []byte {
	ending := &e.Ending
	if !hasCause(ending.Cause) {
		return text
	}
	text = append(text, ": "...)
	if failed := e.Record.Event != eventClose && e.Transport == tcp; failed {
		text = appendSYNs(text, e)
	}
	text = append(text, causes[ending.Cause].words...)
	if ending.QueueFull {
		return append(text, " (the accept queue of the listener is full)"...)
	}
	if ending.Location == 0 {
		return text
	}
	if ending.Cause != localDrop && ending.Cause != rejectedHere {
		text = append(text, ", after a drop here"...)
	}
	reason, _ := c.host.DropReason(ending.Reason)
	location := c.host.Location(ending.Location)
	switch {
	case reason != "" && location != "":
		text = append(append(append(append(text, " ("...), reason...), " in "...), location...)
	case reason != "" || location != "":
		text = append(append(append(text, " ("...), reason...), location...)
	default:
		return text
	}
	return append(text, ')')
}

// appendSYNs appends how many SYNs were sent, if that helps to explain the failure.
func appendSYNs(text []byte, e *bpf.ConnectionEvent) []byte {
	if e.Ending.Cause != localDrop && e.Ending.Cause != noAnswer && e.Ending.Cause != gaveUp {
		return text
	}
	sent := uint64(e.Retransmits) + 1
	text = strconv.AppendUint(text, sent, 10)
	if sent == 1 {
		text = append(text, " SYN sent, "...)
	} else {
		text = append(text, " SYNs sent, "...)
	}
	switch drops := uint64(e.Ending.Drops); {
	case e.Ending.Cause != localDrop || drops == 0:
	case drops >= sent && sent > 1:
		text = append(text, "all "...)
	case drops < sent:
		text = append(strconv.AppendUint(text, drops, 10), ' ')
	}
	return text
}
