//go:build ignore

// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
// How long tasks that could run wait for a CPU.
#include "../include/filter.h"
#include "../include/histogram.h"

enum event_id {
	EVENT_STALL,
};

/* Waits that are longer are stalls, in ns. */
const volatile __u64 stall_threshold;

struct event {
	struct record record;
	struct owner owner; /* the task that has waited */
	__u64 duration;     /* ns */
};

struct series {
	__u64 cgroup;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 1); /* by the number of CPUs */
	__type(key, struct series);
	__type(value, struct histogram);
} runqueue_waits SEC(".maps");

#define SLOTS 16384

/*
 * What each task had waited in all when it last began to run, in the slot that its thread id points to. A slot is one word,
 * so that CPUs need no lock: the part of the id that does not point to it, plus one, and below that the time, whose upper
 * bits are no matter. Slots are given back by tasks that die. That costs a fraction of storage in tasks, for which the
 * kernel, up to 6.3, also asks for memory that it must not ask for here.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SLOTS);
	__type(key, __u32);
	__type(value, __u64);
} task_slots SEC(".maps");

#define TIME_BITS 55 /* ids are less than 2^22 */
#define TIME_MASK ((1ULL << TIME_BITS) - 1)

/* The same for tasks that find their slot taken. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u32);
	__type(value, __u64);
} other_tasks SEC(".maps");

static __always_inline __u64 *slot_of_task(__u32 tid)
{
	__u32 index = tid % SLOTS;

	return bpf_map_lookup_elem(&task_slots, &index);
}

static __always_inline __u64 slot_owner(__u32 tid)
{
	return tid / SLOTS + 1;
}

static __always_inline void free_slot(__u32 tid)
{
	__u64 *slot = slot_of_task(tid);

	if (slot && *slot >> TIME_BITS == slot_owner(tid))
		*slot = 0;
}

static __always_inline bool is_dead(struct task_struct *task)
{
	if (bpf_core_field_exists(task->__state))
		return task->__state & TASK_DEAD;
	return ((struct task_struct___before *)task)->state & TASK_DEAD;
}

/*
 * How long a task that begins to run has waited for it. The kernel begins anew where it moves a waiting task to another
 * CPU, but adds up what the task has waited in all; so the wait is by how much that has grown since the task last began to
 * run. Where this is not known, because the receiver is younger, it is the wait on this CPU.
 */
static __always_inline __u64 wait_of(struct task_struct *task, __u64 wait)
{
	__u64 total = task->sched_info.run_delay + wait;
	bool is_new = !task->sched_info.pcount;
	__u32 tid = task->pid;
	__u64 owner = slot_owner(tid), word = owner << TIME_BITS | (total & TIME_MASK);
	__u64 *slot = slot_of_task(tid), *other;

	if (!slot)
		return wait;
	if (*slot >> TIME_BITS == owner) {
		wait = (total - *slot) & TIME_MASK;
		*slot = word;
		return is_new ? total : wait;
	}
	other = bpf_map_lookup_elem(&other_tasks, &tid);
	if (other)
		wait = total - *other;
	if (!*slot) {
		*slot = word;
		bpf_map_delete_elem(&other_tasks, &tid);
	} else if (other) {
		*other = total;
	} else {
		bpf_map_update_elem(&other_tasks, &tid, &total, BPF_ANY);
	}
	return is_new ? total : wait;
}

static __always_inline struct histogram *histogram_of(__u64 cgroup)
{
	struct series key = {.cgroup = cgroup};

	return FIND_SERIES(&runqueue_waits, &key, no_durations(), {.cgroup = OVERFLOW_CGROUP});
}

static __always_inline bool is_excluded_task(struct task_struct *task)
{
	struct owner owner;

	if (!exclude_executables)
		return self_pid && (__u32)task->tgid == self_pid;
	read_owner(&owner, task);
	return is_excluded_owner(&owner);
}

/* Threads of the kernel wait on nobody else's behalf. */
static __always_inline void read_task(struct owner *o, struct task_struct *task)
{
	read_owner(o, task);
	if (!(task->flags & PF_KTHREAD))
		return;
	o->pid = task->tgid;
	o->cgroup = task->cgroups->dfl_cgrp->kn->id;
#pragma unroll
	for (__u32 i = 0; i < sizeof(o->comm); i++)
		o->comm[i] = task->comm[i];
}

static __always_inline void emit_stall(struct task_struct *task, __u64 wait)
{
	struct event *e = reserve_record(EVENT_STALL, sizeof(*e), bpf_ktime_get_ns(), false);

	if (!e)
		return;
	read_task(&e->owner, task);
	e->duration = wait;
	submit_record(e);
}

/*
 * The kernel holds the lock of the run queue, with interrupts off: nothing on this CPU comes in between, so that what is
 * per CPU is added to as it is. It has not noted yet that the next task runs.
 */
SEC("tp_btf/sched_switch")
int runqueue_switch(__u64 *ctx)
{
	struct task_struct *previous = (struct task_struct *)ctx[1], *next = (struct task_struct *)ctx[2];
	__u64 queued = next->sched_info.last_queued, wait;
	struct histogram *h;
	__u32 slot;

	if (is_dead(previous))
		free_slot(previous->pid);
	/* The idle task waits for nothing. */
	if (!next->pid || !queued || is_excluded_task(next))
		return 0;
	wait = wait_of(next, next->se.cfs_rq->rq->clock - queued);
	h = histogram_of(next->cgroups->dfl_cgrp->kn->id);
	slot = histogram_slot(wait);
	if (h && slot < HISTOGRAM_SLOTS) {
		h->slots[slot]++;
		h->sum += wait;
	}
	if (wait > stall_threshold && event_enabled(EVENT_STALL) && within_limit())
		emit_stall(next, wait);
	return 0;
}

EXPORT_STRUCT(event);
EXPORT_ENUM(event_id);
char LICENSE[] SEC("license") = "Dual BSD/GPL";
