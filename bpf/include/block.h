/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Requests to block devices, and what is known of each that is under way. */
#pragma once

#include "owner.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct gendisk {
	char disk_name[32];
};

struct request_queue {
	struct gendisk *disk;
};

struct blkcg {
	struct cgroup_subsys_state css;
};

struct blkcg_gq {
	struct blkcg *blkcg;
};

struct bio {
	struct blkcg_gq *bi_blkg;
};

struct list_head {
	struct list_head *next;
};

struct blk_flush_queue {
	unsigned int flush_running_idx : 1; /* of the list whose requests wait for the flush under way */
	struct list_head flush_queue[2];
};

struct blk_mq_hw_ctx {
	struct blk_flush_queue *fq;
};

struct request {
	struct request_queue *q;
	struct blk_mq_hw_ctx *mq_hctx;
	unsigned int cmd_flags;
	unsigned int __data_len; /* bytes that have not completed yet */
	__u64 __sector;          /* the first of them */
	struct bio *bio;
	struct list_head queuelist;
};

struct request___before {
	struct gendisk *rq_disk;
	struct {
		struct list_head list;
	} flush;
};

#pragma clang attribute pop

/* What is next to each other here stays in order on its way to other CPUs, on those that keep no order, too. */
struct operation {
	__u64 request;   /* its address */
	__u32 claims;    /* of a slot: see below */
	__u32 others;    /* of a slot: operations that found it taken */
	__u64 issued;    /* ns; 0: not yet */
	__u32 completed; /* bytes of the parts that have completed */
	__u32 failed;    /* bytes of those among them that have failed */
	__u32 last_left; /* bytes that had not completed before the last part did */
	__u16 error;     /* of a part */
	__u8 requeued;   /* the device did not take it, and it will be issued again */
	__u8 excluded;   /* the configuration leaves it out */
	struct owner owner;
	__u64 pad; /* to a power of two, by which an index is multiplied at no cost */
};

#define OPERATION_SLOTS 16384 /* 2^14 */

/*
 * Operations under way, in the slot that the address of their request points to. A slot belongs to who brings its claims
 * from 0 to 1: others, and two who try at the same time, go to the map below. That costs a fraction of a hash map.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, OPERATION_SLOTS);
	__type(key, __u32);
	__type(value, struct operation);
} operation_slots SEC(".maps");

/* The same for what finds its slot taken. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct operation);
} more_operations SEC(".maps");

/* Verifiers let nobody multiply an address, but the distance from another one. */
static __always_inline struct operation *operation_slot(const struct request *rq)
{
	__u32 index = 0;
	void *first = bpf_map_lookup_elem(&operation_slots, &index);
	__u64 distance;

	if (!first)
		return NULL;
	distance = (__u64)rq - (__u64)first;
	barrier_var(distance);
	/* The golden ratio spreads addresses that lie at equal distances over all slots. */
	index = distance * 0x9e3779b97f4a7c15ULL >> 50;
	return bpf_map_lookup_elem(&operation_slots, &index);
}

static __always_inline struct operation *find_operation(const struct request *rq)
{
	struct operation *slot = operation_slot(rq);
	__u64 request = (__u64)rq;

	if (!slot)
		return NULL;
	if (slot->request == request)
		return slot;
	return slot->others ? bpf_map_lookup_elem(&more_operations, &request) : NULL;
}

/* A new operation, in place of what may be left of a request before; NULL, which the caller counts, if there is no room. */
static __always_inline struct operation *new_operation(const struct request *rq)
{
	static const struct operation none;
	struct operation *slot = operation_slot(rq);
	__u64 request = (__u64)rq;
	struct operation *op = NULL;

	if (!slot)
		return NULL;
	if (slot->request == request) {
		op = slot;
	} else if (!slot->claims) {
		__sync_fetch_and_add(&slot->claims, 1);
		if (slot->claims == 1)
			op = slot;
		else
			__sync_fetch_and_add(&slot->claims, -1);
	}
	if (!op) {
		if (!bpf_map_update_elem(&more_operations, &request, &none, BPF_NOEXIST))
			__sync_fetch_and_add(&slot->others, 1);
		op = bpf_map_lookup_elem(&more_operations, &request);
		if (!op)
			return NULL;
	}
	op->request = request;
	op->issued = 0;
	op->completed = 0;
	op->failed = 0;
	op->last_left = ~0U;
	op->error = 0;
	op->requeued = 0;
	op->excluded = 0;
	return op;
}

static __always_inline void end_operation(const struct request *rq)
{
	struct operation *slot = operation_slot(rq);
	__u64 request = (__u64)rq;

	if (!slot)
		return;
	if (slot->request == request) {
		slot->request = 0;
		__sync_fetch_and_add(&slot->claims, -1);
	} else if (slot->others && !bpf_map_delete_elem(&more_operations, &request)) {
		__sync_fetch_and_add(&slot->others, -1);
	}
}

/* The device of a request; NULL for what is no disk, as the queue for commands to an NVMe controller. */
static __always_inline struct gendisk *disk_of(struct request *rq)
{
	struct request___before *before = (void *)rq;

	if (bpf_core_field_exists(before->rq_disk))
		return before->rq_disk;
	return rq->q->disk;
}

/*
 * The cgroup that the kernel's io controller charges the request to, whoever submits it; NULL if that is the root, which
 * stands for all that have no such controller, or a cgroup of version 1.
 */
static __always_inline struct cgroup *charged_cgroup(struct request *rq)
{
	struct bio *bio = rq->bio;
	struct blkcg_gq *blkg;
	struct cgroup *cgroup;

	if (!bio || !bpf_core_field_exists(bio->bi_blkg))
		return NULL;
	blkg = bio->bi_blkg;
	if (!blkg)
		return NULL;
	cgroup = blkg->blkcg->css.cgroup;
	if (!cgroup || !cgroup->level || cgroup->root->hierarchy_id)
		return NULL;
	return cgroup;
}

/*
 * The request that a flush is issued for, the first of those that wait for it; they stay in their list until it is done.
 * NULL before 6.6, which kept another list.
 */
static __always_inline struct request *flushed_for(struct request *flush)
{
	struct request___before *before = (void *)flush;
	struct blk_flush_queue *fq;
	struct list_head *first;

	if (bpf_core_field_exists(before->flush.list) || !flush->mq_hctx)
		return NULL;
	fq = flush->mq_hctx->fq;
	if (!fq)
		return NULL;
	if (BPF_CORE_READ_BITFIELD(fq, flush_running_idx))
		first = fq->flush_queue[1].next;
	else
		first = fq->flush_queue[0].next;
	if (!first)
		return NULL;
	return (void *)first - bpf_core_field_offset(struct request, queuelist);
}
