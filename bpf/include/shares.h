/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * An event limit with a reserved share for each kind of event (its reason or error), so that a flood of one kind does not hide the
 * others. All kinds use the rest of the limit. A kind that first occurs after the limit is reached still gets its share: each
 * such kind can exceed the limit by one share.
 */
#pragma once

#include "record.h"

#define SHARES 64         /* kinds whose hashes collide use one share */
#define SHARE_OF_LIMIT 32 /* a share is this fraction of the limit: 1/32 */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SHARES);
	__type(key, __u32);
	__type(value, struct event_window);
} event_shares SEC(".maps");

/* Hashes two numbers, such as the event and its error, to a kind. */
static __always_inline __u32 event_kind(__u32 what, __u32 detail)
{
	return ((what * 31 + detail) * 0x9E3779B1U) >> 26;
}

/* Like take_from_limit(), with the share of a kind. */
static __always_inline bool take_from_limit_of(__u32 kind)
{
	__u32 program = program_number, slot = kind % SHARES;
	struct event_window *own, *all;

	if (!event_limit)
		return true;
	own = bpf_map_lookup_elem(&event_shares, &slot);
	if (!own || !take_from_window(own, event_limit / SHARE_OF_LIMIT + 1))
		return take_from_limit();
	all = bpf_map_lookup_elem(&ebpf_event_windows, &program);
	if (all) {
		renew_window(all);
		__sync_fetch_and_add(&all->count, 1);
	}
	return true;
}
