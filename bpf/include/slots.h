/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Slots: tables for what is frequent and lives shortly, such as sockets, requests and tasks. An entry of a hash map costs a
 * lock and a search, and storage in an object costs an allocation; a slot costs one index into an array.
 *
 *  - The key of an object, a running number or a hash of its address, selects one slot. No other slot is tried.
 *  - A CPU owns a free slot if its increment took `claims` from 0 to 1. Losers and ties take their claim back and use the
 *    fallback, which is a map or a storage of the program. The result of an atomic operation is not used: Linux 5.10 has none.
 *  - The owner fills the slot and then publishes it, by writing the key. A lookup compares the key, so that it sees neither
 *    values that are half written nor those of the object before. CPUs that reorder stores are no danger: whoever gets hold of
 *    the object on another CPU has synchronized with this one by the kernel's own locks.
 *  - Whoever frees a slot removes the key first, and then the claim.
 *
 * A value that fits into one word together with the rest of its key needs no claim: see make_word() below.
 */
#pragma once

#include "kernel.h"

struct slot {
	__u64 key; /* 0: not published */
	__u32 claims;
	__u32 others; /* objects that use the fallback because of this slot; optional: 0 saves a lookup there */
};

/* Whether a slot is this object's. */
static __always_inline bool holds_slot(const struct slot *s, __u64 key)
{
	return key && s->key == key;
}

/* Tries to get a slot. On success it is the caller's, who fills and publishes it. */
static __always_inline bool claim_slot(struct slot *s)
{
	if (s->claims)
		return false;
	__sync_fetch_and_add(&s->claims, 1);
	if (s->claims == 1) {
		s->key = 0; /* a retired slot has one */
		barrier();
		return true;
	}
	__sync_fetch_and_add(&s->claims, -1);
	return false;
}

/* Makes a slot that is filled visible to lookups. */
static __always_inline void publish_slot(struct slot *s, __u64 key)
{
	barrier();
	s->key = key;
}

/* Gives a slot back. */
static __always_inline void free_slot(struct slot *s)
{
	s->key = 0;
	barrier();
	__sync_fetch_and_add(&s->claims, -1);
}

/* Gives a slot back, but lets lookups find it until another owner claims it. */
static __always_inline void retire_slot(struct slot *s)
{
	__sync_fetch_and_add(&s->claims, -1);
}

/*
 * A word is a slot of 64 bits: the rest of the key, called tag, above a value. One store publishes both. A tag is not 0,
 * because a word of 0 is free, and has at most 9 bits. The upper bits of a larger value are lost.
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
