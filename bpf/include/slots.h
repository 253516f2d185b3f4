/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Slots are entries of an array for frequent, short-lived objects such as sockets, requests and tasks. An entry of a hash map
 * costs a lock and a search, and storage in an object costs an allocation; a slot costs one array lookup.
 *
 *  - An object's key is a serial number or a hash of its address. It selects one slot. No other slot is tried.
 *  - A CPU owns a free slot if it raised `claims` from 0 to 1. If two CPUs try at once, both may fail. Who fails lowers `claims`
 *    again and uses the program's fallback: a map, or storage in the object. Linux 5.10 has no atomic operation with a result.
 *  - The owner fills the slot, then writes the key, which publishes the slot. A lookup compares the key, so it never sees a
 *    half-filled slot or the previous object. CPUs may reorder these stores: another CPU gets the object only through the
 *    kernel's own locks, which order them.
 *  - To free a slot, clear the key first, then lower `claims`.
 *
 * A value that fits into one word with the rest of its key needs no claim: see make_word() below.
 */
#pragma once

#include "kernel.h"

struct slot {
	__u64 key; /* 0: not published */
	__u32 claims;
	__u32 others; /* objects of this slot in the fallback; if a program counts them, 0 saves a lookup */
};

/* Whether the slot has the object with this key. */
static __always_inline bool holds_slot(const struct slot *s, __u64 key)
{
	return key && s->key == key;
}

/* Tries to claim a slot. On success the caller fills it and calls publish_slot(). */
static __always_inline bool claim_slot(struct slot *s)
{
	if (s->claims)
		return false;
	__sync_fetch_and_add(&s->claims, 1);
	if (s->claims == 1) {
		s->key = 0; /* a retired slot still has its key */
		barrier();
		return true;
	}
	__sync_fetch_and_add(&s->claims, -1);
	return false;
}

/* Makes a filled slot visible to lookups. */
static __always_inline void publish_slot(struct slot *s, __u64 key)
{
	barrier();
	s->key = key;
}

/* Frees a slot. */
static __always_inline void free_slot(struct slot *s)
{
	s->key = 0;
	barrier();
	__sync_fetch_and_add(&s->claims, -1);
}

/* Frees a slot; lookups still find its object until the slot is claimed again. */
static __always_inline void retire_slot(struct slot *s)
{
	__sync_fetch_and_add(&s->claims, -1);
}

/*
 * A word is a slot of 64 bits: a tag of 9 bits, which is the rest of the key, above a value of 55 bits. One store publishes
 * both. A word of 0 is free, so a tag must not be 0. The upper bits of a larger value are cut off.
 */
#define WORD_VALUE_BITS 55
#define WORD_VALUE_MASK ((1ULL << WORD_VALUE_BITS) - 1)

static __always_inline __u64 make_word(__u64 tag, __u64 value)
{
	return tag << WORD_VALUE_BITS | (value & WORD_VALUE_MASK);
}

static __always_inline bool holds_word(__u64 word, __u64 tag)
{
	return word >> WORD_VALUE_BITS == tag;
}
