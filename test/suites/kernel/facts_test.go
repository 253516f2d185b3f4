// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"slices"
	"sync"

	"github.com/cilium/ebpf/btf"
)

// facts are features of this kernel. Events lack attributes that the kernel cannot provide.
type facts struct {
	// reasons reports drop reasons (Linux 5.17), subsystems drop reasons of subsystems (6.3).
	reasons, subsystems bool
	// numbers reports that connections get cookies for their events (5.12). Before, a socket has a cookie only if a process
	// asks for it.
	numbers bool
	// receiver reports that a drop names the receiving socket (6.11).
	receiver bool
	// resetReasons reports that resets have reasons, and that resets without a socket are visible (6.10).
	resetReasons bool
	// lockedMaps reports that maps count as locked memory (before 5.11).
	lockedMaps bool
	// requests reports that requests of io_uring are visible (6.3).
	requests bool
	// flushWaiters reports that requests that wait for a flush are visible (6.6).
	flushWaiters bool
	// taskWork reports that a BPF program can run when a task returns from a system call (6.18).
	taskWork bool
	// datagramErrors reports that the errors of datagram sockets are visible (5.14).
	datagramErrors bool
	// merges reports that adjacent requests are merged in the scheduler: 6.1 does so, 5.10 does not.
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
	f.numbers = has("bpf_func_id", "BPF_FUNC_check_mtu")               // new in the same version
	f.merges = has("bpf_func_id", "BPF_FUNC_get_func_ip")              // new in 5.15, between the two
	f.lockedMaps = !has("bpf_func_id", "BPF_FUNC_ktime_get_coarse_ns") // new in the same version
	f.resetReasons = has("sk_rst_reason", "")
	f.flushWaiters = hasFlushWaiters(spec)
	var work *btf.Func
	f.taskWork = spec.TypeByName("bpf_task_work_schedule_resume_impl", &work) == nil
	var hook *btf.Typedef
	f.requests = spec.TypeByName("btf_trace_io_uring_submit_req", &hook) == nil
	f.datagramErrors = spec.TypeByName("btf_trace_inet_sk_error_report", &hook) == nil
	if spec.TypeByName("btf_trace_kfree_skb", &hook) == nil {
		proto := btf.UnderlyingType(btf.UnderlyingType(hook).(*btf.Pointer).Target).(*btf.FuncProto)
		f.receiver = len(proto.Params) > 4 // the first parameter is the BPF program's context
	}
	return f
})

// hasFlushWaiters reports whether requests that wait for a flush are in their usual list, and not in a separate one.
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
