/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * A series is an entry of a map that counts. Its value is made of nothing but __u64, so that user space can add up any;
 * its key begins with the cgroup that is counted for, if it is counted by cgroup.
 */
#pragma once

#include "record.h"

#define OVERFLOW_CGROUP (~0ULL)

/*
 * The value of a series, which begins as what `none` points to. Where the map has no room for another one, that is counted
 * as a loss of the program's, and the value is that of the key that stands last here, which user space has made before.
 */
#define FIND_SERIES(map, key, none, ...)                                                                      \
	({                                                                                                             \
		void *value = bpf_map_lookup_elem(map, key);                                                           \
		if (!value) {                                                                                          \
			const void *first = none;                                                                      \
			if (first)                                                                                     \
				bpf_map_update_elem(map, key, first, BPF_NOEXIST);                                     \
			value = bpf_map_lookup_elem(map, key);                                                         \
		}                                                                                                      \
		if (!value) {                                                                                          \
			__typeof__(*(key)) overflow = __VA_ARGS__;                                                     \
			count_loss(LOSS_MAP_FULL);                                                                     \
			value = bpf_map_lookup_elem(map, &overflow);                                                   \
		}                                                                                                      \
		value;                                                                                                 \
	})
