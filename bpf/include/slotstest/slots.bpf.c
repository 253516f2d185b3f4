//go:build ignore

// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
// A table of slots with a fallback, for the test of slots.h. User space runs each function.
#include "../slots.h"

#define SLOTS 4
#define WORDS 8

struct entry {
	struct slot slot;
	__u64 values[WORDS]; /* all are the same */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SLOTS);
	__type(key, __u32);
	__type(value, struct entry);
} test_slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u64);
	__type(value, struct entry);
} test_others SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} test_word SEC(".maps");

/* Where an entry is. */
enum place {
	PLACE_NOWHERE,
	PLACE_SLOT,
	PLACE_FALLBACK,
};

static __always_inline struct entry *slot_of(__u64 key)
{
	__u32 index = key % SLOTS;

	return bpf_map_lookup_elem(&test_slots, &index);
}

static __always_inline void fill(struct entry *e, __u64 value)
{
	for (int i = 0; i < WORDS; i++)
		e->values[i] = value;
}

/* Claims the slot of ctx[0] without publishing it. */
SEC("raw_tp")
int test_claim(__u64 *ctx)
{
	struct entry *e = slot_of(ctx[0]);

	return e && claim_slot(&e->slot);
}

/* Fills a slot that is claimed with ctx[1] and publishes it as that of ctx[0]. */
SEC("raw_tp")
int test_publish(__u64 *ctx)
{
	struct entry *e = slot_of(ctx[0]);

	if (!e)
		return 0;
	fill(e, ctx[1]);
	publish_slot(&e->slot, ctx[0]);
	return 1;
}

/* Puts the value ctx[1] where there is room for the key ctx[0]. Returns the place. */
SEC("raw_tp")
int test_put(__u64 *ctx)
{
	__u64 key = ctx[0], value = ctx[1];
	struct entry *e = slot_of(key), other = {};

	if (!e)
		return PLACE_NOWHERE;
	if (claim_slot(&e->slot)) {
		fill(e, value);
		publish_slot(&e->slot, key);
		return PLACE_SLOT;
	}
	fill(&other, value);
	if (bpf_map_update_elem(&test_others, &key, &other, BPF_NOEXIST))
		return PLACE_NOWHERE;
	__sync_fetch_and_add(&e->slot.others, 1);
	return PLACE_FALLBACK;
}

/* Looks up the key ctx[0]. Returns its place. */
SEC("raw_tp")
int test_find(__u64 *ctx)
{
	__u64 key = ctx[0];
	struct entry *e = slot_of(key);

	if (!e)
		return PLACE_NOWHERE;
	if (holds_slot(&e->slot, key))
		return PLACE_SLOT;
	return e->slot.others && bpf_map_lookup_elem(&test_others, &key) ? PLACE_FALLBACK : PLACE_NOWHERE;
}

/* Removes the key ctx[0]. */
SEC("raw_tp")
int test_free(__u64 *ctx)
{
	__u64 key = ctx[0];
	struct entry *e = slot_of(key);

	if (!e)
		return 0;
	if (holds_slot(&e->slot, key))
		free_slot(&e->slot);
	else if (e->slot.others && !bpf_map_delete_elem(&test_others, &key))
		__sync_fetch_and_add(&e->slot.others, -1);
	return 0;
}

/* Retires the slot of the key ctx[0]. */
SEC("raw_tp")
int test_retire(__u64 *ctx)
{
	struct entry *e = slot_of(ctx[0]);

	if (e && holds_slot(&e->slot, ctx[0]))
		retire_slot(&e->slot);
	return 0;
}

/* Sets the word to the tag ctx[0] with the value ctx[1]. */
SEC("raw_tp")
int test_put_word(__u64 *ctx)
{
	__u32 zero = 0;
	__u64 *word = bpf_map_lookup_elem(&test_word, &zero);

	if (word)
		*word = make_word(ctx[0], ctx[1]);
	return 0;
}

/* Whether the word is that of the tag ctx[0]. */
SEC("raw_tp")
int test_holds_word(__u64 *ctx)
{
	__u32 zero = 0;
	__u64 *word = bpf_map_lookup_elem(&test_word, &zero);

	return word && holds_word(*word, ctx[0]);
}

const enum place *export_place __attribute__((unused));
char LICENSE[] SEC("license") = "Dual BSD/GPL";
