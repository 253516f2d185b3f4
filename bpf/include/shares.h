/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * An event limit of which each kind of event, by its reason or error, has a share of its own, so that a flood of one kind does not
 * hide another. What a kind leaves of its share is for all. A kind that comes when the limit is reached still has its share, so
 * there may be more events than the limit by as many shares as there are such kinds.
 */
#pragma once

#include "record.h"

#define SHARES 64         /* kinds that are told apart; two with one number modulo this have one share */
#define SHARE_OF_LIMIT 32 /* a share is one part in this many */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SHARES);
	__type(key, __u32);
	__type(value, struct event_window);
} event_shares SEC(".maps");

/* A kind by two numbers, such as what happened and its error. Numbers that are close to each other are different kinds. */
static __always_inline __u32 event_kind(__u32 what, __u32 detail)
{
	return ((what * 31 + detail) * 0x9E3779B1U) >> 26;
}

/* As take_from_limit(), for an event of a kind. */
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
