/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The header of every record in the ring buffer, and the one way to write a record. bpf2go generates the Go types from these
 * structs, so there is no second definition.
 */
#pragma once

#include "kernel.h"

/* Puts a type that only records have into BTF, where bpf2go finds it. */
#define EXPORT_STRUCT(name) const struct name *export_##name __attribute__((unused))
#define EXPORT_ENUM(name) const enum name *export_##name __attribute__((unused))

/* Programs are numbered from 1 to one less than this. */
#define MAX_PROGRAMS 32

/* Why an event or a count was not delivered: ebpf.loss.cause as far as the BPF side knows it. */
enum loss_cause {
	LOSS_RING_FULL,
	LOSS_RATE_LIMIT,
	LOSS_MAP_FULL,
	LOSS_CAUSES,
};

struct record {
	__u8 program; /* program_number of the program that wrote it */
	__u8 event;   /* of the program's own enum */
	__u16 cpu;
	__u32 wake;     /* whether it wakes the reader, which otherwise sleeps while records gather */
	__u64 sequence; /* per CPU, from 1. A number that is missing is a lost record. */
	__u64 time;     /* ns of CLOCK_MONOTONIC */
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 << 20);
} ebpf_records SEC(".maps");

struct sequence {
	__u64 last; /* the number of the last record */
	__u64 used; /* bytes of the ring in use at the last query */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sequence);
} ebpf_sequences SEC(".maps");

struct losses {
	__u64 by_cause[LOSS_CAUSES];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MAX_PROGRAMS);
	__type(key, __u32);
	__type(value, struct losses);
} ebpf_lost SEC(".maps");

/* The second under way of an event limit. */
struct event_window {
	__u64 start; /* ns */
	__u64 tick;  /* jiffies of the last check */
	__u64 count; /* events since the start */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_PROGRAMS);
	__type(key, __u32);
	__type(value, struct event_window);
} ebpf_event_windows SEC(".maps");

const volatile __u32 program_number;     /* of this program in its receiver, from 1; the loader sets it */
const volatile __u64 event_limit;        /* events per second; 0: no limit */
const volatile __u32 enabled_events;     /* a bit for each event of the program */
const volatile __u64 ring_reserve_above; /* bytes in use above which only urgent records are written: 7/8 of the ring */
/*
 * Bytes in use above which each record asks for the use: what all CPUs write between two of their queries has room between here and the
 * reserve.
 */
const volatile __u64 ring_query_above;
const volatile __u64 ring_wake_above; /* bytes in use above which the reader is woken: 1/8 of the ring */

/*
 * Counters per CPU are atomic too: a softirq with another program can interrupt a program in process context between the load
 * and the store.
 */
static __always_inline void count_loss(enum loss_cause cause)
{
	__u32 program = program_number;
	struct losses *l = bpf_map_lookup_elem(&ebpf_lost, &program);

	if (l)
		__sync_fetch_and_add(&l->by_cause[cause], 1);
}

static __always_inline bool event_enabled(__u8 event)
{
	return enabled_events & (1U << event);
}

/* Begins the next second of a window if the last one is over. */
static __always_inline void renew_window(struct event_window *w)
{
	/* The clock costs more than all the rest, so it is read once a tick only. */
	__u64 tick = bpf_jiffies64(), now;

	if (tick == w->tick)
		return;
	w->tick = tick;
	now = bpf_ktime_get_ns();
	/* Negative where another CPU has begun a second after this clock was read. */
	if ((__s64)(now - w->start) >= 1000000000LL) {
		w->start = now;
		w->count = 0;
	}
}

/* Counts an event against the limit of a window. Returns false if it is reached. */
static __always_inline bool take_from_window(struct event_window *w, __u64 limit)
{
	renew_window(w);
	/* Checked before the increment: in a storm, CPUs can share a line that they only read. */
	if (w->count >= limit)
		return false;
	__sync_fetch_and_add(&w->count, 1);
	return w->count <= limit;
}

/* Counts an event against the program's limit. Returns false, and counts a loss, if the limit is reached. */
static __always_inline bool take_from_limit(void)
{
	__u32 program = program_number;
	struct event_window *w;

	if (!event_limit)
		return true;
	w = bpf_map_lookup_elem(&ebpf_event_windows, &program);
	if (!w)
		return false;
	if (take_from_window(w, event_limit))
		return true;
	count_loss(LOSS_RATE_LIMIT);
	return false;
}

/*
 * Reserves a record of `size` bytes in the ring and fills in its header. Returns NULL, and counts a loss, if there is no room.
 * The last eighth of the ring is for urgent records.
 */
static __always_inline void *reserve_record(__u8 event, __u64 size, __u64 now, bool urgent)
{
	struct sequence *s;
	struct record *r = NULL;
	__u64 sequence;
	__u32 zero = 0;
	bool wake;

	s = bpf_map_lookup_elem(&ebpf_sequences, &zero);
	if (!s)
		return NULL;
	__sync_fetch_and_add(&s->last, 1);
	sequence = s->last;
	/* The use of the ring changes slowly, and a query costs as much as a record. */
	wake = sequence % 16 == 0;
	if (wake || s->used > ring_query_above)
		s->used = bpf_ringbuf_query(&ebpf_records, BPF_RB_AVAIL_DATA);
	if (urgent || s->used <= ring_reserve_above)
		r = bpf_ringbuf_reserve(&ebpf_records, size, 0);
	if (!r) {
		count_loss(LOSS_RING_FULL);
		return NULL;
	}
	r->program = program_number;
	r->event = event;
	r->cpu = bpf_get_smp_processor_id();
	r->wake = wake && s->used > ring_wake_above;
	r->sequence = sequence;
	r->time = now;
	return r;
}

/* Submits a record. The kernel wakes a reader that has read all before; a ring that fills up wakes any. */
static __always_inline void submit_record(void *r)
{
	bpf_ringbuf_submit(r, ((struct record *)r)->wake ? BPF_RB_FORCE_WAKEUP : 0);
}
