//go:build ignore

// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
// System calls: how long they take, how they fail, and which are slow.
#include "../include/container.h"
#include "../include/filter.h"
#include "../include/histogram.h"

enum event_id {
	EVENT_SLOW,
};

/*
 * System calls have numbers below 1024 here; those of another bitness than the kernel's, which have a table of their own,
 * have CALLS_COMPAT added. The last number is that of all that are in no table.
 */
enum call_limits {
	CALLS_COMPAT = 1024,
	CALLS = 2048,
	CALL_UNKNOWN = CALLS_COMPAT - 1,
};

/* A bit for each call. */
const volatile __u64 wanted_calls[CALLS / 64];  /* that are looked at; those that do not return are not */
const volatile __u64 waiting_calls[CALLS / 64]; /* that are for waiting */
const volatile __u64 file_calls[CALLS / 64];    /* whose first argument is a descriptor, and that wait for all but files */

/* From which time on a call is slow, in ns; ~0: none is. */
const volatile __u64 slow_threshold;

/* Whether slow calls that wait for something else by their nature are events. */
const volatile bool report_waiting;

enum { MAX_ERRNO = 4095 };

/* Whether only calls of the executables in wanted_executables are wanted, and only those in wanted_containers. */
const volatile bool only_executables;
const volatile bool only_containers;

/*
 * Whether a thread can be preempted in here, as from Linux 6.19 on: until it goes on, the kernel leaves the function out for
 * all others on that CPU. Then each function has a substitute that is called behind it.
 */
const volatile bool is_preemptible;

/* Whether tracing programs can have no storage in tasks, as before Linux 5.13. */
const volatile bool no_task_storage;

struct event {
	struct record record;
	struct owner owner;
	__u64 duration; /* ns */
	__s64 result;   /* as the kernel returns it: an error is below 0 */
	__u32 call;
	__u32 pad;
};

/* The calls of a cgroup with one result, 0 or an errno, whose durations are in one slot of a histogram. */
struct series {
	__u64 cgroup; /* OVERFLOW_CGROUP: of everything that found no room, with an error of 1 for any */
	__u16 call;
	__u16 error;
	__u16 slot;
	__u16 pad;
};

struct counts {
	__u64 calls;
	__u64 time; /* ns */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct series);
	__type(value, struct counts);
} syscall_counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct executable);
	__type(value, __u8);
} wanted_executables SEC(".maps");

/* What is known of a thread. */
struct thread {
	__u64 start;  /* ns: of the call that is under way; 0: none that is wanted */
	__u64 mm;     /* address of the memory with which the thread was judged: it gets another one when it executes */
	__u64 cgroup; /* in which it was judged: it can be moved */
	__u32 call;
	bool unwanted; /* by its process */
	bool outside;  /* of the wanted containers */
	__u16 pad;
};

/* The kernel frees it with the thread, whichever way that ends. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct thread);
} threads SEC(".maps");

/* In place of it, by the address of the task_struct, which a thread keeps when it executes. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, struct thread);
} threads_by_address SEC(".maps");

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* Registers at the entry to the kernel: those that hold the first argument. */
struct pt_regs___call {
	unsigned long di; /* amd64 */
	unsigned long bx; /* its 32-bit table */
	__u64 orig_x0;    /* arm64 */
};

#pragma clang attribute pop

#if defined(__TARGET_ARCH_x86)
enum { TS_COMPAT = 2, X32_SYSCALL_BIT = 0x40000000 };

/* Whether a call is one of the 32-bit table, which processes of either kind can make. Those of x32 are in the 64-bit one. */
static __always_inline bool is_compat(struct task_struct *task)
{
	return (by_address ? BPF_CORE_READ(task, thread_info.status) : task->thread_info.status) & TS_COMPAT;
}

static __always_inline __u64 first_argument(const void *regs, bool compat)
{
	const struct pt_regs___call *r = regs;

	return compat ? BPF_CORE_READ(r, bx) : BPF_CORE_READ(r, di);
}
#else
enum { TIF_32BIT = 1 << 22, X32_SYSCALL_BIT = 0 };

static __always_inline bool is_compat(struct task_struct *task)
{
	return (by_address ? BPF_CORE_READ(task, thread_info.flags) : task->thread_info.flags) & TIF_32BIT;
}

static __always_inline __u64 first_argument(const void *regs, bool compat)
{
	const struct pt_regs___call *r = regs;

	return BPF_CORE_READ(r, orig_x0);
}
#endif

static __always_inline bool has(const volatile __u64 *calls, __u32 call)
{
	return calls[call / 64 % (CALLS / 64)] >> (call % 64) & 1;
}

static __always_inline __u32 call_of(struct task_struct *task, __u64 number)
{
	__u32 call = number & ~X32_SYSCALL_BIT;

	if (call > CALL_UNKNOWN)
		call = CALL_UNKNOWN;
	return is_compat(task) ? call + CALLS_COMPAT : call;
}

static __always_inline struct thread *find_thread(struct task_struct *task)
{
	__u64 address = (__u64)task;

	if (no_task_storage)
		return bpf_map_lookup_elem(&threads_by_address, &address);
	return bpf_task_storage_get(&threads, task, NULL, 0);
}

static __always_inline struct thread *add_thread(struct task_struct *task)
{
	static const struct thread none;
	__u64 address = (__u64)task;

	if (!no_task_storage)
		return bpf_task_storage_get(&threads, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	bpf_map_update_elem(&threads_by_address, &address, &none, BPF_NOEXIST);
	return bpf_map_lookup_elem(&threads_by_address, &address);
}

static __always_inline bool is_unwanted(struct task_struct *task)
{
	struct owner owner;

	read_owner(&owner, task);
	if (is_excluded_owner(&owner))
		return true;
	return only_executables && !bpf_map_lookup_elem(&wanted_executables, owner.executable);
}

static __always_inline __u64 cgroup_of(struct task_struct *task)
{
	return by_address ? BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id) : task->cgroups->dfl_cgrp->kn->id;
}

static __always_inline bool is_outside(struct thread *t, struct task_struct *task)
{
	__u64 cgroup;

	if (!only_containers)
		return false;
	cgroup = cgroup_of(task);
	if (t->cgroup != cgroup) {
		t->cgroup = cgroup;
		t->outside = !is_in_wanted_container(BPF_CORE_READ(task, cgroups, dfl_cgrp));
	}
	return t->outside;
}

static __always_inline void enter(struct task_struct *task, __u64 number)
{
	__u32 call = call_of(task, number);
	struct thread *t = find_thread(task);
	bool wanted = has(wanted_calls, call);
	__u64 mm;

	/* If the end of the call before was left out, this is not it. */
	if (t)
		t->start = 0;
	if (!wanted)
		return;
	if (!t)
		t = add_thread(task);
	if (!t) {
		count_loss(LOSS_MAP_FULL);
		return;
	}
	mm = by_address ? (__u64)BPF_CORE_READ(task, mm) : (__u64)task->mm;
	if (t->mm != mm) {
		t->mm = mm;
		t->unwanted = is_unwanted(task);
	}
	if (t->unwanted || is_outside(t, task))
		return;
	t->call = call;
	t->start = bpf_ktime_get_ns();
}

SEC("tp_btf/sys_enter")
int syscall_enter(__u64 *ctx)
{
	enter(current_task(), ctx[1]);
	return 0;
}

SEC("tp_btf/sys_enter")
int substitute_enter(__u64 *ctx)
{
	struct task_struct *task = current_task();
	struct thread *t = find_thread(task);

	if (!t || !t->start)
		enter(task, ctx[1]);
	return 0;
}

/* Without substitutes, nothing else adds to this CPU's counts meanwhile. */
static __always_inline void count(const struct series *key, __u64 duration)
{
	static const struct counts none;
	struct counts *c = FIND_SERIES(&syscall_counts, key, &none,
				       {.cgroup = OVERFLOW_CGROUP, .error = key->error != 0, .slot = key->slot});

	if (!c)
		return;
	if (is_preemptible) {
		__sync_fetch_and_add(&c->calls, 1);
		__sync_fetch_and_add(&c->time, duration);
	} else {
		c->calls++;
		c->time += duration;
	}
}

/* Whether a descriptor is of what never waits for others: a file, a directory or a disk. */
static __always_inline bool is_file(struct task_struct *task, __u32 fd)
{
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct file *file;

	if (fd >= BPF_CORE_READ(table, max_fds))
		return false;
	if (bpf_probe_read_kernel(&file, sizeof(file), BPF_CORE_READ(table, fd) + fd) || !file)
		return false;
	switch (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) {
	case S_IFREG:
	case S_IFDIR:
	case S_IFBLK:
		return true;
	}
	return false;
}

static __always_inline void report_slow(struct task_struct *task, const void *regs, __u32 call, long result,
					__u64 duration, __u64 now)
{
	struct event *e;

	if (!event_enabled(EVENT_SLOW))
		return;
	if (!report_waiting) {
		if (has(waiting_calls, call))
			return;
		if (has(file_calls, call) && !is_file(task, first_argument(regs, call >= CALLS_COMPAT)))
			return;
	}
	if (!within_limit())
		return;
	e = reserve_record(EVENT_SLOW, sizeof(*e), now, false);
	if (!e)
		return;
	read_owner(&e->owner, task);
	e->duration = duration;
	e->result = result;
	e->call = call;
	e->pad = 0;
	submit_record(e);
}

static __always_inline void leave(struct task_struct *task, const void *regs, long result)
{
	struct thread *t = find_thread(task);
	struct series key = {};
	__u64 now, duration;

	if (!t || !t->start)
		return;
	now = bpf_ktime_get_ns();
	duration = now - t->start;
	t->start = 0;
	key.cgroup = cgroup_of(task);
	key.call = t->call;
	if (result < 0 && result >= -MAX_ERRNO)
		key.error = -result;
	key.slot = histogram_slot(duration);
	count(&key, duration);
	if (duration >= slow_threshold)
		report_slow(task, regs, t->call, result, duration, now);
}

SEC("tp_btf/sys_exit")
int syscall_exit(__u64 *ctx)
{
	leave(current_task(), (const void *)ctx[0], ctx[1]);
	return 0;
}

/* Finds that no call is under way, if the first function was not left out. */
SEC("tp_btf/sys_exit")
int substitute_exit(__u64 *ctx)
{
	leave(current_task(), (const void *)ctx[0], ctx[1]);
	return 0;
}

/* Where no storage goes with a thread, this is the end of what is known of it. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(syscall_forget, struct task_struct *task)
{
	__u64 address = (__u64)task;

	bpf_map_delete_elem(&threads_by_address, &address);
	return 0;
}

EXPORT_STRUCT(event);
EXPORT_ENUM(event_id);
EXPORT_ENUM(call_limits);
char LICENSE[] SEC("license") = "Dual BSD/GPL";
