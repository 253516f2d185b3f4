//go:build ignore

// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
// Run queue latency: how long runnable tasks wait for a CPU.
#include "../include/filter.h"
#include "../include/histogram.h"
#include "../include/slots.h"

enum event_id {
	EVENT_STALL,
};

/* ns; a longer wait is a stall. */
const volatile __u64 stall_threshold;

struct event {
	struct record record;
	struct owner owner; /* the task that waited */
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
 * The total wait of each task when it last began to run: words by thread id, see slots.h. Its tag is the part of the id that is
 * not in the index, plus 1. A task frees its word when it dies. Storage in tasks would be slower, and up to Linux 6.3 it can
 * allocate memory in a context where that is not allowed.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SLOTS);
	__type(key, __u32);
	__type(value, __u64);
} runqueue_slots SEC(".maps");

/* Thread ids are less than 2^22. */
_Static_assert((1 << 22) / SLOTS + 1 < 1 << (64 - WORD_VALUE_BITS), "the tag fits into a word");

/* The fallback for tasks that found their word taken. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u32);
	__type(value, __u64);
} runqueue_others SEC(".maps");

static __always_inline __u64 *word_of(__u32 tid)
{
	__u32 index = tid % SLOTS;

	return bpf_map_lookup_elem(&runqueue_slots, &index);
}

static __always_inline __u64 tag_of(__u32 tid)
{
	return tid / SLOTS + 1;
}

static __always_inline void free_word(__u32 tid)
{
	__u64 *word = word_of(tid);

	if (word && holds_word(*word, tag_of(tid)))
		*word = 0;
}

static __always_inline bool is_dead(struct task_struct *task)
{
	if (bpf_core_field_exists(task->__state))
		return task->__state & TASK_DEAD;
	return ((struct task_struct___pre_5_14 *)task)->state & TASK_DEAD;
}

/*
 * How long a task has waited that begins to run now. The kernel measures from the last time that the task was moved to another
 * CPU, but also adds up all waits of the task. So the wait is the growth of that sum since the task last began to run. If that
 * time was before the receiver started, it is the wait on this CPU.
 */
static __always_inline __u64 measure_wait(struct task_struct *task, __u64 wait)
{
	__u64 total = task->sched_info.run_delay + wait;
	bool is_new = !task->sched_info.pcount;
	__u32 tid = task->pid;
	__u64 tag = tag_of(tid), new = make_word(tag, total);
	__u64 *word = word_of(tid), *other;

	if (!word)
		return wait;
	if (holds_word(*word, tag)) {
		wait = (total - *word) & WORD_VALUE_MASK;
		*word = new;
		return is_new ? total : wait;
	}
	other = bpf_map_lookup_elem(&runqueue_others, &tid);
	if (other)
		wait = total - *other;
	if (!*word) {
		*word = new;
		bpf_map_delete_elem(&runqueue_others, &tid);
	} else if (other) {
		*other = total;
	} else {
		bpf_map_update_elem(&runqueue_others, &tid, &total, BPF_ANY);
	}
	return is_new ? total : wait;
}

static __always_inline struct histogram *find_histogram(__u64 cgroup)
{
	struct series key = {.cgroup = cgroup};

	return FIND_SERIES(&runqueue_waits, &key, zero_histogram(), {.cgroup = OVERFLOW_CGROUP});
}

static __always_inline bool is_excluded_task(struct task_struct *task)
{
	struct owner owner;

	if (!exclude_executables && !include_executables && !include_cgroups)
		return self_pid && (__u32)task->tgid == self_pid;
	read_owner(&owner, task);
	return is_excluded_process(&owner);
}

/* Unlike elsewhere, a kernel thread is the owner: it waits for itself. */
static __always_inline void read_task(struct owner *o, struct task_struct *task)
{
	read_owner(o, task);
	if (!(task->flags & PF_KTHREAD))
		return;
	o->pid = task->tgid;
	o->cgroup = task->cgroups->dfl_cgrp->kn->id;
	read_comm(o, task, by_address);
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
 * The kernel holds the lock of the run queue with interrupts off. Nothing on this CPU can interrupt, so counts per CPU need no
 * atomics. sched_info is still that of the time before the switch.
 */
SEC("tp_btf/sched_switch")
int runqueue_switch(__u64 *ctx)
{
	struct task_struct *previous = (struct task_struct *)ctx[1], *next = (struct task_struct *)ctx[2];
	__u64 queued = next->sched_info.last_queued, wait;
	struct histogram *h;
	__u32 slot;

	if (is_dead(previous))
		free_word(previous->pid);
	/* The idle task waits for nothing. */
	if (!next->pid || !queued || is_excluded_task(next))
		return 0;
	wait = measure_wait(next, next->se.cfs_rq->rq->clock - queued);
	h = find_histogram(next->cgroups->dfl_cgrp->kn->id);
	slot = histogram_slot(wait);
	if (h && slot < HISTOGRAM_SLOTS) {
		h->slots[slot]++;
		h->sum += wait;
	}
	if (wait > stall_threshold && event_enabled(EVENT_STALL) && take_from_limit())
		emit_stall(next, wait);
	return 0;
}

EXPORT_STRUCT(event);
EXPORT_ENUM(event_id);
char LICENSE[] SEC("license") = "Dual BSD/GPL";
