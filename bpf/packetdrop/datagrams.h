/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Datagrams of which a fragment was dropped. A datagram counts as one loss, however many of its fragments the kernel frees, and
 * whether it frees them at once or when the reassembly times out.
 */
#pragma once

#include "../include/headers.h"

/* Longer than the kernel keeps fragments: 30 s (IPv4) or 60 s (IPv6). */
#define DATAGRAM_LIFE 90000000000ULL /* ns */

struct datagram {
	struct address source;
	struct address destination;
	__u32 id;
	__u8 protocol;
	__u8 type;
	__u8 pad[2];
};

/* What was reported of a datagram. */
struct lost_datagram {
	__u64 time; /* ns */
	__u64 cgroup;
	__u32 reason;
	__u32 offset; /* of the fragment that was reported */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct datagram);
	__type(value, struct lost_datagram);
} packet_drop_datagrams SEC(".maps");

static __always_inline struct datagram datagram_of(const struct headers *h)
{
	struct datagram d = {
		.source = h->packet.flow.local,
		.destination = h->packet.flow.remote,
		.id = h->fragment_id,
		.protocol = h->packet.protocol,
		.type = h->packet.type,
	};

	return d;
}

/* The report for a fragment's datagram; NULL if there is none, or if the fragment belongs to a new datagram with the same id. */
static __always_inline struct lost_datagram *find_datagram(const struct headers *h, __u64 now)
{
	struct datagram key = datagram_of(h);
	struct lost_datagram *d = bpf_map_lookup_elem(&packet_drop_datagrams, &key);

	return d && d->offset != h->fragment_offset && now - d->time < DATAGRAM_LIFE ? d : NULL;
}

static __always_inline void keep_datagram(const struct headers *h, __u64 now, __u64 cgroup, __u32 reason)
{
	struct datagram key = datagram_of(h);
	struct lost_datagram d = {.time = now, .cgroup = cgroup, .reason = reason, .offset = h->fragment_offset};

	bpf_map_update_elem(&packet_drop_datagrams, &key, &d, BPF_ANY);
}
