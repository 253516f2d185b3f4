//go:build ignore

// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
// Disk operations: their number, size and duration, by process or cgroup.
#include "../include/block.h"
#include "../include/filter.h"
#include "../include/histogram.h"
#include "../include/series.h"
#include "../include/shares.h"

enum event_id {
	EVENT_SLOW,
};

/* Whether tracepoints, except that of completions, have the queue as an argument before the request: before Linux 5.11. */
const volatile bool request_behind_queue;

/* Whether block_bio_queue has the queue as an argument before the bio: before Linux 5.11. */
const volatile bool bio_behind_queue;

/* Whether there is block_io_start, which is called in the context of the submitter: from Linux 6.5 on. */
const volatile bool sees_start;

/* ns; an operation that takes as long or longer is slow. */
const volatile __u64 slow_threshold;

enum {
	OPERATION_MASK = 0xff, /* of cmd_flags: enum req_op */
	OPERATION_WRITE = 1,
	OPERATION_FLUSH = 2,
	ERROR_STATUS = 1 << 8, /* set if an error is a blk_status_t, as from Linux 5.16 on, and no errno */
};

struct event {
	struct record record;
	struct owner owner;
	__u64 duration; /* ns */
	__u64 sector;   /* the first one, of 512 bytes */
	char disk[32];
	__u32 size; /* bytes */
	__u16 error;
	__u8 operation;
	__u8 attribution;
};

struct series {
	__u64 cgroup;
	char disk[32];
	__u16 error;
	__u8 operation;
	__u8 pad;
	__u32 pad2;
};

struct counts {
	struct histogram durations;
	__u64 bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct series);
	__type(value, struct counts);
} disk_io_operations SEC(".maps");

/* Counts of zero, which are too large for the stack. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct counts);
} disk_io_zero SEC(".maps");

static __always_inline struct request *request_of(__u64 *ctx)
{
	return (struct request *)(request_behind_queue ? ctx[1] : ctx[0]);
}

/* Whether the current process is in the cgroup with an id and a level, or below it. */
static __always_inline bool is_current_in(__u64 id, int level)
{
	struct cgroup___pre_6_1 *cgroup = NULL;
	__u64 ancestor = 0;

	/* Kernels without these ids have the helper for tracing programs. */
	if (!bpf_core_field_exists(cgroup->ancestor_ids))
		return bpf_get_current_ancestor_cgroup_id(level) == id;
	cgroup = (void *)BPF_CORE_READ(current_task(), cgroups, dfl_cgrp);
	if (BPF_CORE_READ((struct cgroup *)cgroup, level) < level)
		return false;
	bpf_probe_read_kernel(&ancestor, sizeof(ancestor),
			      (void *)cgroup + bpf_core_field_offset(cgroup->ancestor_ids) + level * sizeof(ancestor));
	return ancestor == id;
}

/* A flush has a request of its own, which no process submits: it is for the requests that wait for it. */
static __always_inline void attribute_flush(struct operation *op, struct request *rq)
{
	struct request *waiting = flushed_for(rq);
	struct operation *first;

	if (!waiting)
		return;
	first = find_operation(waiting);
	if (!first)
		return;
	op->owner = first->owner;
	op->excluded = first->excluded;
}

/*
 * Sets the owner of an operation: the process that submits it, unless the kernel charges it to a cgroup that the process is not
 * in, for example when it writes back what others have written. The operations of a kernel thread belong to that cgroup.
 */
static __always_inline void attribute(struct operation *op, struct bio *bio, bool submitted_here)
{
	struct cgroup *cgroup = charged_cgroup(bio);
	__u64 id;

	if (submitted_here)
		read_owner(&op->owner, current_task());
	else
		__builtin_memset(&op->owner, 0, sizeof(op->owner));
	op->excluded = is_excluded_by_name(&op->owner);
	if (cgroup) {
		id = cgroup->kn->id;
		if (op->owner.pid && op->owner.cgroup != id && !is_current_in(id, cgroup->level))
			__builtin_memset(&op->owner, 0, sizeof(op->owner));
		if (!op->owner.pid)
			op->owner.cgroup = id;
	}
	op->excluded |= is_left_out(&op->owner, op->owner.cgroup);
}

static __always_inline struct operation *begin_operation(struct request *rq, bool submitted_here)
{
	struct operation *op = new_operation(rq);

	if (!op) {
		count_loss(LOSS_MAP_FULL);
		return NULL;
	}
	attribute(op, rq->bio, submitted_here);
	if (!submitted_here && (rq->cmd_flags & OPERATION_MASK) == OPERATION_FLUSH)
		attribute_flush(op, rq);
	publish_slot(&op->slot, (__u64)rq);
	return op;
}

/* From Linux 6.5 on, in the context of the process that submits the request. */
SEC("tp_btf/block_io_start")
int disk_io_start(__u64 *ctx)
{
	begin_operation(request_of(ctx), true);
	return 0;
}

/* Before 6.5, in the context of the submitter, if the request goes to a scheduler and not to the device at once. */
SEC("tp_btf/block_rq_insert")
int disk_io_insert(__u64 *ctx)
{
	struct request *rq = request_of(ctx);
	struct operation *op = find_operation(rq);

	if (!op || !op->requeued)
		begin_operation(rq, true);
	return 0;
}

/* Two adjacent requests have become one; this is the one that is gone. */
SEC("tp_btf/block_rq_merge")
int disk_io_merge(__u64 *ctx)
{
	end_operation(request_of(ctx));
	return 0;
}

/* The duration is counted from the first issue, even if the device does not take the request at once. */
SEC("tp_btf/block_rq_issue")
int disk_io_issue(__u64 *ctx)
{
	struct request *rq = request_of(ctx);
	struct operation *op = find_operation(rq);

	/* One that was issued already is left over from an earlier request of this address. */
	if (!op || (op->issued && !op->requeued)) {
		op = begin_operation(rq, !sees_start);
		if (!op)
			return 0;
	}
	op->requeued = 0;
	if (!op->issued)
		op->issued = bpf_ktime_get_ns();
	return 0;
}

SEC("tp_btf/block_rq_requeue")
int disk_io_requeue(__u64 *ctx)
{
	struct operation *op = find_operation(request_of(ctx));

	if (op)
		op->requeued = 1;
	return 0;
}

/* What has completed. */
struct completion {
	struct gendisk *disk;
	__u64 sector; /* the first one */
	__u32 size;   /* bytes */
	__u8 operation;
};

static __always_inline void report(const struct operation *op, const struct completion *done, const struct series *key, __u64 now)
{
	struct event *e = reserve_record(EVENT_SLOW, sizeof(*e), now, false);

	if (!e)
		return;
	e->owner = op->owner;
	e->duration = now - op->issued;
	e->sector = done->sector;
	__builtin_memcpy(e->disk, key->disk, sizeof(e->disk));
	e->size = done->size;
	e->error = op->error;
	e->operation = key->operation;
	e->attribution = op->owner.pid ? ATTRIBUTION_CURRENT : op->owner.cgroup ? ATTRIBUTION_CGROUP : ATTRIBUTION_NONE;
	submit_record(e);
}

static __always_inline void count(const struct operation *op, const struct completion *done)
{
	struct series key = {.cgroup = op->owner.cgroup, .error = op->error, .operation = done->operation};
	__u64 now = bpf_ktime_get_ns();
	struct counts *c;
	__u32 zero = 0;

	if (!done->disk || bpf_probe_read_kernel_str(key.disk, sizeof(key.disk), done->disk->disk_name) <= 0)
		return;
	c = FIND_SERIES(&disk_io_operations, &key, bpf_map_lookup_elem(&disk_io_zero, &zero), {.cgroup = OVERFLOW_CGROUP});
	if (c) {
		add_to_histogram(&c->durations, now - op->issued);
		__sync_fetch_and_add(&c->bytes, done->size - op->failed);
	}
	if (now - op->issued >= slow_threshold && event_enabled(EVENT_SLOW) &&
	    take_from_limit_of(event_kind(key.operation, key.error)))
		report(op, done, &key, now);
}

/*
 * A request completes as a whole or in parts. A request that was never issued, such as a flush that another one serves, is no
 * operation. A second call for the same part has no effect, so this is its own fallback: see missed.h.
 */
static __always_inline void on_complete(struct request *rq, int error, __u32 bytes)
{
	struct operation *op = find_operation(rq);
	__u32 left = rq->__data_len;
	struct completion done;

	if (!op || op->last_left == left)
		return;
	if (error)
		op->error = error < 0 ? -error : ERROR_STATUS | (__u8)error;
	if (bytes < left) {
		op->last_left = left;
		op->completed += bytes;
		if (error)
			op->failed += bytes;
		return;
	}
	if (error)
		op->failed += left;
	if (op->issued && !op->excluded) {
		done = (struct completion){
			.disk = disk_of(rq),
			/* The last part is behind those that completed before. */
			.sector = rq->__sector - (op->completed >> 9),
			.size = op->completed + left,
			.operation = rq->cmd_flags & OPERATION_MASK,
		};
		count(op, &done);
	}
	end_operation(rq);
}

SEC("tp_btf/block_rq_complete")
int disk_io_complete(__u64 *ctx)
{
	on_complete((struct request *)ctx[0], ctx[1], ctx[2]);
	return 0;
}

SEC("tp_btf/block_rq_complete")
int disk_io_missed(__u64 *ctx)
{
	on_complete((struct request *)ctx[0], ctx[1], ctx[2]);
	return 0;
}

/*
 * Disks in memory: zram, brd and pmem. Their drivers take bios and make no requests. Volumes and arrays do so too, but hand the
 * bios on to disks, where they are counted.
 */
static __always_inline bool is_in_memory(struct gendisk *disk)
{
	char name[5] = {};

	if (!disk || disk->queue->mq_ops)
		return false;
	bpf_probe_read_kernel(name, sizeof(name), disk->disk_name);
	return !__builtin_memcmp(name, "zram", 4) || !__builtin_memcmp(name, "ram", 3) || !__builtin_memcmp(name, "pmem", 4);
}

/* In the context of the process that submits the bio. Drivers change its sector and size while they carry it out. */
static __always_inline int on_bio_queue(struct bio *bio)
{
	struct operation *op;

	if (!is_in_memory(disk_of_bio(bio)))
		return 0;
	op = new_operation(bio);
	if (!op) {
		count_loss(LOSS_MAP_FULL);
		return 0;
	}
	attribute(op, bio, true);
	op->sector = bio->bi_iter.bi_sector;
	op->completed = bio->bi_iter.bi_size;
	op->issued = bpf_ktime_get_ns();
	publish_slot(&op->slot, (__u64)bio);
	return 0;
}

/* The verifier wants a constant index for each argument, so the compiler must not merge the loads. */
SEC("tp_btf/block_bio_queue")
int disk_io_bio_queue(__u64 *ctx)
{
	__u64 bio;

	if (bio_behind_queue) {
		bio = ctx[1];
		barrier_var(bio);
	} else {
		bio = ctx[0];
		barrier_var(bio);
	}
	return on_bio_queue((struct bio *)bio);
}

SEC("tp_btf/block_bio_complete")
int disk_io_bio_complete(__u64 *ctx)
{
	struct bio *bio = (struct bio *)ctx[1];
	struct gendisk *disk = disk_of_bio(bio);
	struct completion done = {.disk = disk};
	struct operation *op;

	if (!is_in_memory(disk))
		return 0;
	op = find_operation(bio);
	if (!op)
		return 0;
	done.sector = op->sector;
	done.size = op->completed;
	done.operation = bio->bi_opf & OPERATION_MASK;
	if (done.operation == OPERATION_WRITE && !done.size)
		done.operation = OPERATION_FLUSH;
	if (bio->bi_status) {
		op->error = ERROR_STATUS | bio->bi_status;
		op->failed = done.size;
	}
	if (!op->excluded)
		count(op, &done);
	end_operation(bio);
	return 0;
}

EXPORT_STRUCT(event);
EXPORT_ENUM(event_id);
char LICENSE[] SEC("license") = "Dual BSD/GPL";
