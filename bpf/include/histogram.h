/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Histograms of durations. They have the buckets that are exported, so nothing is interpolated later. */
#pragma once

#include "series.h"

#define HISTOGRAM_SLOTS 176
#define HISTOGRAM_BOUNDS 256

struct histogram {
	__u64 slots[HISTOGRAM_SLOTS];
	__u64 sum; /* ns */
};

/*
 * Upper bounds of the slots in ns, inclusive and ascending; ~0 behind the last one. User space sets those of the buckets that
 * it exports, explicit or exponential.
 */
const volatile __u64 histogram_bounds[HISTOGRAM_BOUNDS];

/* A histogram of zeros, which is too large for the stack. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct histogram);
} empty_histogram SEC(".maps");

static __always_inline const void *zero_histogram(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&empty_histogram, &zero);
}

/* The first slot whose bound is not below a duration, by bisection. */
static __always_inline __u32 histogram_slot(__u64 ns)
{
	__u32 slot = 0;

#pragma unroll
	for (__u32 step = HISTOGRAM_BOUNDS / 2; step; step /= 2)
		if (ns > histogram_bounds[(slot + step - 1) & (HISTOGRAM_BOUNDS - 1)])
			slot += step;
	return slot;
}

static __always_inline void add_to_histogram(struct histogram *h, __u64 ns)
{
	__u32 slot = histogram_slot(ns);

	if (slot >= HISTOGRAM_SLOTS)
		return;
	__sync_fetch_and_add(&h->slots[slot], 1);
	__sync_fetch_and_add(&h->sum, ns);
}
