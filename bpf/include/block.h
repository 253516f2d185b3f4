/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Requests to block devices, and what is known of those that are under way. */
#pragma once

#include "owner.h"
#include "slots.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct request_queue;

struct gendisk {
	char disk_name[32];
	struct request_queue *queue;
};

struct request_queue {
	struct gendisk *disk;
	const void *mq_ops; /* NULL: the driver takes bios, and makes no requests of them */
};

struct block_device {
	struct gendisk *bd_disk;
};

struct blkcg {
	struct cgroup_subsys_state css;
};

struct blkcg_gq {
	struct blkcg *blkcg;
};

struct bvec_iter {
	__u64 bi_sector;
	unsigned int bi_size;
};

struct bio {
	struct block_device *bi_bdev;
	unsigned int bi_opf;
	__u8 bi_status;
	struct bvec_iter bi_iter;
	struct blkcg_gq *bi_blkg;
};

struct bio___pre_5_12 {
	struct gendisk *bi_disk;
};

struct list_head {
	struct list_head *next;
};

struct blk_flush_queue {
	unsigned int flush_running_idx : 1; /* the list whose requests wait for the flush under way */
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

struct request___pre_5_17 {
	struct gendisk *rq_disk;
};

struct request___pre_6_6 {
	struct {
		struct list_head list;
	} flush;
};

#pragma clang attribute pop

/* A request, or a bio of which no request is made, from its submission to its completion. */
struct operation {
	struct slot slot; /* by its address */
	__u64 issued;     /* ns; 0: not yet */
	__u32 completed;  /* bytes of the parts that have completed */
	__u32 failed;     /* bytes of those that have failed */
	__u32 last_left;  /* bytes that had not completed before the last part did */
	__u16 error;      /* of a part */
	__u8 requeued;    /* the device did not take it, and it will be issued again */
	__u8 excluded;    /* the configuration excludes it */
	struct owner owner;
	__u64 sector; /* the first one of a bio */
};

/* The index of a slot is multiplied by this, which costs nothing for a power of two. */
_Static_assert(sizeof(struct operation) == 128, "the size of an operation is a power of two");

#define OPERATION_SLOTS_BITS 14

/* Operations under way. See slots.h. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1 << OPERATION_SLOTS_BITS);
	__type(key, __u32);
	__type(value, struct operation);
} disk_io_slots SEC(".maps");

/* The fallback for operations that found their slot taken. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct operation);
} disk_io_others SEC(".maps");

/* Verifiers forbid to multiply an address, but not its distance from another one. */
static __always_inline struct operation *operation_slot(const void *rq)
{
	__u32 index = 0;
	void *first = bpf_map_lookup_elem(&disk_io_slots, &index);
	__u64 distance;

	if (!first)
		return NULL;
	distance = (__u64)rq - (__u64)first;
	barrier_var(distance);
	/* The golden ratio spreads addresses with equal distances over all slots. */
	index = distance * 0x9e3779b97f4a7c15ULL >> (64 - OPERATION_SLOTS_BITS);
	return bpf_map_lookup_elem(&disk_io_slots, &index);
}

static __always_inline struct operation *find_operation(const void *rq)
{
	struct operation *op = operation_slot(rq);
	__u64 request = (__u64)rq;

	if (!op)
		return NULL;
	if (holds_slot(&op->slot, request))
		return op;
	return op->slot.others ? bpf_map_lookup_elem(&disk_io_others, &request) : NULL;
}

static __always_inline struct operation *claim_operation(const void *rq)
{
	static const struct operation none;
	struct operation *op = operation_slot(rq);
	__u64 request = (__u64)rq;

	if (!op || holds_slot(&op->slot, request) || claim_slot(&op->slot))
		return op;
	if (!bpf_map_update_elem(&disk_io_others, &request, &none, BPF_NOEXIST))
		__sync_fetch_and_add(&op->slot.others, 1);
	return bpf_map_lookup_elem(&disk_io_others, &request);
}

/*
 * A new operation, which the caller completes and publishes. It replaces one that an earlier request of the same address has
 * left. Returns NULL if there is no room.
 */
static __always_inline struct operation *new_operation(const void *rq)
{
	struct operation *op = claim_operation(rq);

	if (!op)
		return NULL;
	op->issued = 0;
	op->completed = 0;
	op->failed = 0;
	op->last_left = ~0U;
	op->error = 0;
	op->requeued = 0;
	op->excluded = 0;
	return op;
}

static __always_inline void end_operation(const void *rq)
{
	struct operation *op = operation_slot(rq);
	__u64 request = (__u64)rq;

	if (!op)
		return;
	if (holds_slot(&op->slot, request))
		free_slot(&op->slot);
	else if (op->slot.others && !bpf_map_delete_elem(&disk_io_others, &request))
		__sync_fetch_and_add(&op->slot.others, -1);
}

/* The disk of a request; NULL if it has none, as for commands to an NVMe controller. */
static __always_inline struct gendisk *disk_of(struct request *rq)
{
	struct request___pre_5_17 *old = (void *)rq;

	if (bpf_core_field_exists(old->rq_disk))
		return old->rq_disk;
	return rq->q->disk;
}

static __always_inline struct gendisk *disk_of_bio(struct bio *bio)
{
	struct bio___pre_5_12 *old = (void *)bio;

	if (bpf_core_field_exists(old->bi_disk))
		return old->bi_disk;
	return bio->bi_bdev->bd_disk;
}

/*
 * The cgroup that the kernel's io controller charges a bio to, whoever submits it. NULL if it is the root, which stands for
 * all cgroups without this controller, or a cgroup of version 1.
 */
static __always_inline struct cgroup *charged_cgroup(struct bio *bio)
{
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
 * The first of the requests that wait for a flush. They stay in their list until it is done. NULL before Linux 6.6, where the
 * list is another one.
 */
static __always_inline struct request *flushed_for(struct request *flush)
{
	struct request___pre_6_6 *old = (void *)flush;
	struct blk_flush_queue *fq;
	struct list_head *first;

	if (bpf_core_field_exists(old->flush.list) || !flush->mq_hctx)
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
