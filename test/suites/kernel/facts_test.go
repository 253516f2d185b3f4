// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"slices"
	"sync"

	"github.com/cilium/ebpf/btf"
)

// facts are what this kernel says of packets and sockets; what it does not say is in no event.
type facts struct {
	// reasons is whether there are reasons (Linux 5.17), subsystems whether they belong to subsystems (6.3).
	reasons, subsystems bool
	// numbers is whether connections are numbered for their events (5.12); before that some are, when a process asks.
	numbers bool
	// receiver is whether it says which socket a packet was for (6.11).
	receiver bool
	// resetReasons is whether it says why it sends resets, and shows those that belong to no socket (6.10).
	resetReasons bool
	// lockedMaps is whether maps count as locked memory (before 5.11).
	lockedMaps bool
	// requests is whether it shows the requests of io_uring (6.3).
	requests bool
	// flushWaiters is whether it says who waits for a flush (6.6).
	flushWaiters bool
	// taskWork is whether a program can wait for the end of one system call (6.18).
	taskWork bool
	// merges is whether requests that come together become one when a scheduler gets them: 6.1 does so, 5.10 does not.
	merges bool
}

var kernelSays = sync.OnceValue(func() (f facts) {
	spec, err := btf.LoadKernelSpec()
	if err != nil {
		return f
	}
	has := func(enum, value string) bool {
		var e *btf.Enum
		return spec.TypeByName(enum, &e) == nil &&
			(value == "" || slices.ContainsFunc(e.Values, func(v btf.EnumValue) bool { return v.Name == value }))
	}
	f.reasons = has("skb_drop_reason", "")
	f.subsystems = has("skb_drop_reason_subsys", "")
	f.numbers = has("bpf_func_id", "BPF_FUNC_check_mtu")               // of the same version
	f.merges = has("bpf_func_id", "BPF_FUNC_get_func_ip")              // of 5.15, which is between the two
	f.lockedMaps = !has("bpf_func_id", "BPF_FUNC_ktime_get_coarse_ns") // of the same version
	f.resetReasons = has("sk_rst_reason", "")
	f.flushWaiters = hasFlushWaiters(spec)
	var work *btf.Func
	f.taskWork = spec.TypeByName("bpf_task_work_schedule_resume_impl", &work) == nil
	var hook *btf.Typedef
	f.requests = spec.TypeByName("btf_trace_io_uring_submit_req", &hook) == nil
	if spec.TypeByName("btf_trace_kfree_skb", &hook) == nil {
		proto := btf.UnderlyingType(btf.UnderlyingType(hook).(*btf.Pointer).Target).(*btf.FuncProto)
		f.receiver = len(proto.Params) > 4 // the first one is the program's own
	}
	return f
})

// hasFlushWaiters reports whether requests wait for a flush in the list that they are in otherwise, and not in one of its own.
func hasFlushWaiters(spec *btf.Spec) bool {
	var request *btf.Struct
	if spec.TypeByName("request", &request) != nil {
		return false
	}
	for _, m := range request.Members {
		if flush, ok := m.Type.(*btf.Struct); ok && m.Name == "flush" {
			return !slices.ContainsFunc(flush.Members, func(m btf.Member) bool { return m.Name == "list" })
		}
	}
	return false
}
