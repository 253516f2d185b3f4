/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * A series is an entry of a map of counts. Its value consists of __u64 only, so that user space can add up any two. Its key
 * begins with the cgroup, if it is counted by cgroup.
 *
 * Each map has overflow series, which user space makes when it loads the map. They count what has no room for a series of its
 * own, with OVERFLOW_CGROUP in place of a cgroup.
 */
#pragma once

#include "record.h"

#define OVERFLOW_CGROUP (~0ULL)

/*
 * FIND_SERIES(map, key, none, overflow) is the value of a series. A new one is a copy of *none. If the map is full, a loss is
 * counted, and it is the value of the overflow series, whose key is the last argument.
 */
#define FIND_SERIES(map, key, none, ...)                                           \
	({                                                                         \
		void *value = bpf_map_lookup_elem(map, key);                       \
		if (!value) {                                                      \
			const void *first = none;                                  \
			if (first)                                                 \
				bpf_map_update_elem(map, key, first, BPF_NOEXIST); \
			value = bpf_map_lookup_elem(map, key);                     \
		}                                                                  \
		if (!value) {                                                      \
			__typeof__(*(key)) overflow = __VA_ARGS__;                 \
			count_loss(LOSS_MAP_FULL);                                 \
			value = bpf_map_lookup_elem(map, &overflow);               \
		}                                                                  \
		value;                                                             \
	})
