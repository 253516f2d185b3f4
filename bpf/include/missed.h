/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * A fallback for the kernel's recursion guard: the kernel skips a tracing program that is already running on that CPU, for
 * example when a softirq interrupts it in process context. Hooks that must count exactly have two functions. The first one does
 * the work and marks it as handled. The fallback is called after it, and does the work that is not marked.
 */
#pragma once

#include "kernel.h"

#define HANDLED_MARKS 64

struct handled_mark {
	__u64 object; /* address; 0: none */
	__u64 change;
};

/* What the first functions have handled on this CPU. There are several, because runs interrupt each other. */
struct handled_marks {
	struct handled_mark marks[HANDLED_MARKS];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct handled_marks);
} handled_marks SEC(".maps");

static __always_inline struct handled_mark *handled_mark(__u32 hash)
{
	__u32 zero = 0;
	struct handled_marks *h = bpf_map_lookup_elem(&handled_marks, &zero);

	return h ? &h->marks[hash % HANDLED_MARKS] : NULL;
}

/* For the first function. The hash should differ from that of what may interrupt it: two with one hash use one mark. */
static __always_inline void mark_handled(const void *object, __u32 hash, __u32 change)
{
	struct handled_mark *m = handled_mark(hash);

	if (!m)
		return;
	m->object = (__u64)object;
	m->change = change;
}

/* For the fallback. Returns whether the first function was skipped; removes its mark if not. */
static __always_inline bool take_missed(const void *object, __u32 hash, __u32 change)
{
	struct handled_mark *m = handled_mark(hash);

	if (!m || m->object != (__u64)object || m->change != change)
		return true;
	m->object = 0;
	return false;
}
