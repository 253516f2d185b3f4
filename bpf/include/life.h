/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Whether a recorded owner is still the same: its process exists and runs the same program. Each process that ends or executes a
 * program increments one of many counters, selected by its pid. While the counter of an owner has not changed, the owner is the
 * same. If it has, another process with that counter may have ended: the kernel's pid table decides.
 */
#pragma once

#include "owner.h"
#include "pid.h"

/* A process while it runs one program. */
struct life {
	__u16 identity[2]; /* hash of the start of the process and of the number of programs that it has executed */
	__u16 ends;        /* low bits of its counter */
};

/* In place of an identity: the owner is gone, and no other holder was looked for yet. */
#define IDENTITY_GONE ~0U

#define END_COUNTS 32768

struct end_count {
	__u32 ends;
	__u32 owners; /* not 0: some process with this counter was an owner */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, END_COUNTS);
	__type(key, __u32);
	__type(value, struct end_count);
} ebpf_ends SEC(".maps");

/* Owners that have executed another program. At the end of a process its program cannot be read any more. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32); /* pid */
	__type(value, struct owner);
} ebpf_executed SEC(".maps");

static __always_inline struct end_count *end_count(__u32 pid)
{
	__u32 index = pid % END_COUNTS;

	return bpf_map_lookup_elem(&ebpf_ends, &index);
}

static __always_inline __u32 identity_of(struct task_struct *task, bool probe)
{
	struct task_struct *walked = probe ? task : UNTRUSTED(task);
	__u64 start = READ(probe, walked, group_leader, start_time), programs = READ(probe, task, self_exec_id);

	return ((start + programs) * 0x9E3779B97F4A7C15ULL) >> 32;
}

static __always_inline void set_identity(struct life *life, __u32 identity)
{
	life->identity[0] = identity;
	life->identity[1] = identity >> 16;
}

static __always_inline __u32 identity_in(const struct life *life)
{
	return life->identity[0] | (__u32)life->identity[1] << 16;
}

/* Reads the life of an owner whose process is known to exist. */
static __always_inline void read_life(struct life *life, const struct owner *o, struct task_struct *task)
{
	struct end_count *count = o->pid ? end_count(o->pid) : NULL;

	if (!count) {
		set_identity(life, 0);
		life->ends = 0;
		return;
	}
	if (!count->owners)
		count->owners = 1;
	life->ends = count->ends;
	set_identity(life, identity_of(task, by_address));
}

/* The process of an owner; NULL if it has ended, or runs another program. */
static __always_inline struct task_struct *living(__u32 pid, __u32 identity)
{
	struct task_struct *task = task_of(pid);

	if (!task || identity_of(task, true) != identity || BPF_CORE_READ(task, signal, live.counter) <= 0)
		return NULL;
	return task;
}

/* Not static, here and below: the verifier checks it once and not once per path of its callers. */
__noinline int is_alive(__u32 pid, __u32 identity)
{
	return living(pid, identity) != NULL;
}

/* The effective user id of an owner's process, which may be the current one; known if it is gone, or nobody asks. */
__noinline __u32 user_of(__u32 pid, __u32 identity, __u32 known, __u32 ask)
{
	struct task_struct *task;

	if (!pid || !ask)
		return known;
	if (pid == bpf_get_current_pid_tgid() >> 32)
		return read_user(current_task(), by_address);
	task = living(pid, identity);
	return task ? read_user(task, true) : known;
}

/* Whether the process of an owner has ended, or runs another program. */
static __always_inline bool is_gone(const struct owner *o, const struct life *life)
{
	struct end_count *count;

	if (!o->pid)
		return false;
	count = end_count(o->pid);
	return count && (__u16)count->ends != life->ends && !is_alive(o->pid, identity_in(life));
}

/*
 * Updates the user of an owner in a record: servers listen as root, and become another user then. An owner that is gone keeps the
 * user that it had when it was read. For records only: to find a process takes about as long as the rest of a record.
 */
static __always_inline void update_user(struct owner *o, const struct life *life)
{
	o->uid = user_of(o->pid, identity_in(life), o->uid, true);
}

/* For tp_btf/sched_process_exit, which is called for each thread. */
static __always_inline void on_process_exit(struct task_struct *task)
{
	struct task_struct *walked = by_address ? task : UNTRUSTED(task);
	struct end_count *count;

	if (READ(by_address, walked, signal, live.counter) > 0)
		return;
	count = end_count(READ(by_address, task, tgid));
	if (count)
		__sync_fetch_and_add(&count->ends, 1);
}

/* For tp_btf/sched_process_exec. */
static __always_inline void on_process_exec(struct task_struct *task)
{
	__u32 pid = READ(by_address, task, tgid);
	struct end_count *count = end_count(pid);
	struct owner owner;

	if (!count)
		return;
	__sync_fetch_and_add(&count->ends, 1);
	if (!count->owners)
		return;
	read_owner(&owner, task);
	bpf_map_update_elem(&ebpf_executed, &pid, &owner, BPF_ANY);
}
