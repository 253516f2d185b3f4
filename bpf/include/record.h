/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * What every record in the ring buffer begins with, and the one way to put a record there. bpf2go makes the Go types
 * from these structs: there is no second definition to keep in step.
 */
#pragma once

#include "kernel.h"

/* Puts a type that only ring records have into BTF, where bpf2go finds it. */
#define EXPORT_STRUCT(name) const struct name *export_##name __attribute__((unused))
#define EXPORT_ENUM(name) const enum name *export_##name __attribute__((unused))

/* The most programs that one receiver runs, and one more. */
#define MAX_PROGRAMS 32

/* Why an event or a count was not delivered: ebpf.loss.cause as far as the kernel half knows it. */
enum loss_cause {
	LOSS_RING_FULL,
	LOSS_RATE_LIMIT,
	LOSS_MAP_FULL,
	LOSS_CAUSES,
};

struct record {
	__u8 program; /* program_number of the one that wrote it */
	__u8 event;   /* the program's own enum */
	__u16 cpu;
	__u32 wake;     /* whether the reader is woken for it, although it rests while records gather */
	__u64 sequence; /* per CPU, from 1: the highest one seen less the number of records seen is what was lost */
	__u64 time;     /* CLOCK_MONOTONIC, ns */
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 << 20);
} records SEC(".maps");

struct sequence {
	__u64 last;    /* number given out */
	__u64 used; /* bytes of the ring in use when last looked at */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sequence);
} sequences SEC(".maps");

struct losses {
	__u64 by_cause[LOSS_CAUSES];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MAX_PROGRAMS);
	__type(key, __u32);
	__type(value, struct losses);
} lost SEC(".maps");

/* The second of an event limit that is running: how many were asked for since it began. */
struct event_window {
	__u64 start; /* ns */
	__u64 tick;  /* jiffies when it was last looked at */
	__u64 count;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_PROGRAMS);
	__type(key, __u32);
	__type(value, struct event_window);
} event_windows SEC(".maps");

const volatile __u32 program_number;     /* of this program in its receiver, from 1: the loader numbers them */
const volatile __u64 event_limit;        /* events per second; 0: no limit */
const volatile __u32 enabled_events;     /* bit per event of the program */
const volatile __u64 ring_reserve_above; /* bytes in use above which only urgent records get in: 7/8 of the ring */
const volatile __u64 ring_wake_above;    /* bytes in use above which the reader is not left to rest: 1/8 of the ring */

/*
 * Counters are added to atomically although they are per CPU: a program in process context can be interrupted by
 * another one in softirq on the same CPU between the load and the store.
 */
static __always_inline void count_loss(enum loss_cause cause)
{
	__u32 program = program_number;
	struct losses *l = bpf_map_lookup_elem(&lost, &program);

	if (l)
		__sync_fetch_and_add(&l->by_cause[cause], 1);
}

static __always_inline bool event_enabled(__u8 event)
{
	return enabled_events & (1U << event);
}

/* Whether the program's event limit lets another event pass; counts the event as held back if not. */
static __always_inline bool within_limit(void)
{
	__u32 program = program_number;
	struct event_window *w;
	__u64 now, tick;

	if (!event_limit)
		return true;
	w = bpf_map_lookup_elem(&event_windows, &program);
	if (!w)
		return false;
	/* The clock costs more than all the rest, and is read once a tick. */
	tick = bpf_jiffies64();
	if (tick != w->tick) {
		w->tick = tick;
		now = bpf_ktime_get_ns();
		/* Another CPU may have begun the second after this clock was read. */
		if ((__s64)(now - w->start) >= 1000000000LL) {
			w->start = now;
			w->count = 0;
		}
	}
	/* Looked at before it is added to, so that CPUs in a storm share the line instead of fighting for it. */
	if (w->count < event_limit) {
		__sync_fetch_and_add(&w->count, 1);
		if (w->count <= event_limit)
			return true;
	}
	count_loss(LOSS_RATE_LIMIT);
	return false;
}

/*
 * A record of `size` bytes in the ring with its header filled in, or NULL when the ring has no room for it, which is
 * counted. Records that are not urgent leave the last eighth of the ring to those that are.
 */
static __always_inline void *reserve_record(__u8 event, __u64 size, __u64 now, bool urgent)
{
	struct sequence *s;
	struct record *r = NULL;
	__u64 sequence;
	__u32 zero = 0;
	bool wake;

	s = bpf_map_lookup_elem(&sequences, &zero);
	if (!s)
		return NULL;
	__sync_fetch_and_add(&s->last, 1);
	sequence = s->last;
	/* How full the ring is changes slowly, and costs as much to ask for as a record. */
	wake = sequence % 16 == 0;
	if (wake || s->used > ring_reserve_above)
		s->used = bpf_ringbuf_query(&records, BPF_RB_AVAIL_DATA);
	if (urgent || s->used <= ring_reserve_above)
		r = bpf_ringbuf_reserve(&records, size, 0);
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

/* Wakes the reader if it has seen all that came before, the kernel's adaptive notice, or if the ring fills up. */
static __always_inline void submit_record(void *r)
{
	bpf_ringbuf_submit(r, ((struct record *)r)->wake ? BPF_RB_FORCE_WAKEUP : 0);
}
