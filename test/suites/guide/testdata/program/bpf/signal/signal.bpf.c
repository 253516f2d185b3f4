//go:build ignore

// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
// Signals that processes are sent.
#include "../include/filter.h"
#include "../include/series.h"

enum event_id {
	EVENT_SEND,
};

struct event {
	struct record record;
	struct owner owner; /* who is sent it */
	__u32 signal;
	__u32 sender; /* tgid */
};

struct series {
	__u64 cgroup;
	__u64 signal;
};

struct counts {
	__u64 signals;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct series);
	__type(value, struct counts);
} signals SEC(".maps");

static __always_inline void count(const struct owner *owner, __u64 signal)
{
	static const struct counts none;
	struct series key = {.cgroup = owner->cgroup, .signal = signal};
	struct counts *c = FIND_SERIES(&signals, &key, &none, {.cgroup = OVERFLOW_CGROUP});

	if (c)
		__sync_fetch_and_add(&c->signals, 1);
}

struct kernel_siginfo;

/* In the context of the sender, which may be an interrupt. */
SEC("tp_btf/signal_generate")
int BPF_PROG(signal_send, int signal, struct kernel_siginfo *info, struct task_struct *task)
{
	struct owner owner;
	struct event *e;

	read_owner(&owner, task);
	if (is_excluded_process(&owner))
		return 0;
	count(&owner, signal);
	if (!event_enabled(EVENT_SEND) || !take_from_limit())
		return 0;
	e = reserve_record(EVENT_SEND, sizeof(*e), bpf_ktime_get_ns(), false);
	if (!e)
		return 0;
	e->owner = owner;
	e->signal = signal;
	e->sender = bpf_get_current_pid_tgid() >> 32;
	submit_record(e);
	return 0;
}

EXPORT_STRUCT(event);
EXPORT_ENUM(event_id);
char LICENSE[] SEC("license") = "Dual BSD/GPL";
