//go:build ignore

// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
// What disks are asked to do, how long it takes them, and for whom.
#include "../include/block.h"
#include "../include/filter.h"
#include "../include/histogram.h"
#include "../include/series.h"

enum event_id {
	EVENT_SLOW,
};

/* Whether the request is behind its queue in the arguments of tracepoints, but for that of completions: before 5.11. */
const volatile bool request_behind_queue;

/* Whether block_io_start, in the context of who submits a request, is there: from 6.5 on. */
const volatile bool sees_start;

/* The least duration of a slow operation, in ns. */
const volatile __u64 slow_threshold;

enum {
	OPERATION_MASK = 0xff, /* of cmd_flags: enum req_op */
	OPERATION_FLUSH = 2,
	ERROR_STATUS = 1 << 8, /* in an error that is a blk_status_t, from 5.16 on, and no errno */
};

struct event {
	struct record record;
	struct owner owner;
	__u64 duration; /* ns */
	__u64 sector;   /* of 512 bytes */
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
} disk_operations SEC(".maps");

/* Zero counts: too large for the stack of a program. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct counts);
} no_counts SEC(".maps");

static __always_inline struct request *request_of(__u64 *ctx)
{
	return (struct request *)(request_behind_queue ? ctx[1] : ctx[0]);
}

/* Whether the current process is in a cgroup of an id and a level, or in one below it. */
static __always_inline bool is_current_in(__u64 id, int level)
{
	struct cgroup___before *cgroup = NULL;
	__u64 ancestor = 0;

	/* Kernels that let tracing programs have the helper only later on have the ids. */
	if (!bpf_core_field_exists(cgroup->ancestor_ids))
		return bpf_get_current_ancestor_cgroup_id(level) == id;
	cgroup = (void *)BPF_CORE_READ(current_task(), cgroups, dfl_cgrp);
	if (BPF_CORE_READ((struct cgroup *)cgroup, level) < level)
		return false;
	bpf_probe_read_kernel(&ancestor, sizeof(ancestor),
			      (void *)cgroup + bpf_core_field_offset(cgroup->ancestor_ids) + level * sizeof(ancestor));
	return ancestor == id;
}

/*
 * Whose the operation is: the process's that submits it, unless the kernel charges it to a cgroup that the process is not
 * in, as when it writes back what others have written. A kernel thread's operations are those of whom it works for.
 */
static __always_inline void attribute(struct operation *op, struct request *rq, bool submitted_here)
{
	struct cgroup *cgroup = charged_cgroup(rq);
	__u64 id;

	if (submitted_here)
		read_owner(&op->owner, current_task());
	else
		__builtin_memset(&op->owner, 0, sizeof(op->owner));
	op->excluded = is_excluded_owner(&op->owner);
	if (!cgroup)
		return;
	id = cgroup->kn->id;
	if (op->owner.pid && op->owner.cgroup != id && !is_current_in(id, cgroup->level))
		__builtin_memset(&op->owner, 0, sizeof(op->owner));
	if (!op->owner.pid)
		op->owner.cgroup = id;
}

static __always_inline struct operation *begin(struct request *rq, bool submitted_here)
{
	struct operation *op = new_operation(rq);

	if (op)
		attribute(op, rq, submitted_here);
	else
		count_loss(LOSS_MAP_FULL);
	return op;
}

/* A request is made of what a process submits, in its context. */
SEC("tp_btf/block_io_start")
int disk_start(__u64 *ctx)
{
	begin(request_of(ctx), true);
	return 0;
}

/* Before 6.5: who submits a request gives it to the scheduler, if there is one and it does not go to the device at once. */
SEC("tp_btf/block_rq_insert")
int disk_insert(__u64 *ctx)
{
	struct request *rq = request_of(ctx);
	struct operation *op = find_operation(rq);

	if (!op || !op->requeued)
		begin(rq, true);
	return 0;
}

/* Two requests that are next to each other have become one, and this is the other one. */
SEC("tp_btf/block_rq_merge")
int disk_merge(__u64 *ctx)
{
	end_operation(request_of(ctx));
	return 0;
}

/* A flush has a request of its own, which is submitted by nobody: it is for those that wait for it. */
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

/* An operation begins when it is first issued, however often the device refuses it. */
SEC("tp_btf/block_rq_issue")
int disk_issue(__u64 *ctx)
{
	struct request *rq = request_of(ctx);
	struct operation *op = find_operation(rq);

	/* One that seems to be issued already is left from a request of the same address that has vanished. */
	if (!op || (op->issued && !op->requeued)) {
		op = begin(rq, !sees_start);
		if (!op)
			return 0;
		if (sees_start && (rq->cmd_flags & OPERATION_MASK) == OPERATION_FLUSH)
			attribute_flush(op, rq);
	}
	op->requeued = 0;
	if (!op->issued)
		op->issued = bpf_ktime_get_ns();
	return 0;
}

SEC("tp_btf/block_rq_requeue")
int disk_requeue(__u64 *ctx)
{
	struct operation *op = find_operation(request_of(ctx));

	if (op)
		op->requeued = 1;
	return 0;
}

static __always_inline void report(const struct operation *op, struct request *rq, const struct series *key, __u64 now)
{
	struct event *e = reserve_record(EVENT_SLOW, sizeof(*e), now, false);

	if (!e)
		return;
	e->owner = op->owner;
	e->duration = now - op->issued;
	/* The part that completes last is behind those before. */
	e->sector = rq->__sector - (op->completed >> 9);
	__builtin_memcpy(e->disk, key->disk, sizeof(e->disk));
	e->size = op->completed + rq->__data_len;
	e->error = op->error;
	e->operation = key->operation;
	e->attribution = op->owner.pid ? ATTRIBUTION_CURRENT : op->owner.cgroup ? ATTRIBUTION_CGROUP : ATTRIBUTION_NONE;
	submit_record(e);
}

static __always_inline void count(const struct operation *op, struct request *rq)
{
	struct series key = {.cgroup = op->owner.cgroup, .error = op->error, .operation = rq->cmd_flags & OPERATION_MASK};
	struct gendisk *disk = disk_of(rq);
	__u64 now = bpf_ktime_get_ns();
	struct counts *c;
	__u32 zero = 0;

	if (!disk || bpf_probe_read_kernel_str(key.disk, sizeof(key.disk), disk->disk_name) <= 0)
		return;
	c = FIND_SERIES(&disk_operations, &key, bpf_map_lookup_elem(&no_counts, &zero), {.cgroup = OVERFLOW_CGROUP});
	if (c) {
		add_to_histogram(&c->durations, now - op->issued);
		__sync_fetch_and_add(&c->bytes, op->completed + rq->__data_len - op->failed);
	}
	if (now - op->issued >= slow_threshold && event_enabled(EVENT_SLOW) && within_limit())
		report(op, rq, &key, now);
}

/*
 * A request completes as a whole or in parts; one that was never issued, as a flush that goes with another one, is no
 * operation. What is done twice with a part has an effect once, so that this is its own substitute: see substitute.h.
 */
static __always_inline void complete(struct request *rq, int error, __u32 bytes)
{
	struct operation *op = find_operation(rq);
	__u32 left = rq->__data_len;

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
	if (op->issued && !op->excluded)
		count(op, rq);
	end_operation(rq);
}

SEC("tp_btf/block_rq_complete")
int disk_complete(__u64 *ctx)
{
	complete((struct request *)ctx[0], ctx[1], ctx[2]);
	return 0;
}

SEC("tp_btf/block_rq_complete")
int substitute_complete(__u64 *ctx)
{
	complete((struct request *)ctx[0], ctx[1], ctx[2]);
	return 0;
}

EXPORT_STRUCT(event);
EXPORT_ENUM(event_id);
char LICENSE[] SEC("license") = "Dual BSD/GPL";
