/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The kernel leaves a tracing program out while another run of it is under way on the same CPU, as when a softirq
 * interrupts it in process context. What has to be counted exactly is therefore hooked twice: the first function does the
 * work and notes what it has seen; the second one, which is called after it, does the work where there is no note.
 */
#pragma once

#include "kernel.h"

#define NOTES 64

struct note {
	__u64 object; /* address */
	__u64 change;
};

/* What the first functions have seen on this CPU. There is room for several, because runs interrupt each other. */
struct notes {
	struct note seen[NOTES];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct notes);
} notes SEC(".maps");

static __always_inline struct note *note_at(__u32 hash)
{
	__u32 zero = 0;
	struct notes *n = bpf_map_lookup_elem(&notes, &zero);

	return n ? &n->seen[hash % NOTES] : NULL;
}

/* For the first function: it sees this change of this object, whose hash is not that of what interrupts it, mostly. */
static __always_inline void note(const void *object, __u32 hash, __u32 change)
{
	struct note *n = note_at(hash);

	if (!n)
		return;
	n->object = (__u64)object;
	n->change = change;
}

/* For the second function: whether the first one was left out. */
static __always_inline bool is_unseen(const void *object, __u32 hash, __u32 change)
{
	struct note *n = note_at(hash);

	if (!n || n->object != (__u64)object || n->change != change)
		return true;
	n->object = 0;
	return false;
}
