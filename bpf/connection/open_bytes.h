/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The bytes of connections that are open. User space has all of them scanned before it reads the counts, and a scan counts what is
 * new since the last one. At its end a connection that was scanned leaves its totals here instead of adding them to its series, so
 * that no byte counts twice, and user space counts the rest. Connections that no scan has found cost nothing, and those without new
 * bytes little more than the way to them: no two scans overlap, so that a scan needs no lock.
 */
#pragma once

#include "../include/parts.h"
#include "../include/track.h"
#include "counts.h"

struct open_bytes {
	__u64 socket; /* address */
	/* As the socket had them at the last scan. While they stay, nothing else is read. */
	__u64 acked;
	__u64 taken;
	__u64 settled; /* whether they were the same at the scan before */
	__u64 sent;    /* bytes that are counted */
	__u64 received;
	__u64 first;  /* the scan that found it first */
	__u64 last;   /* the last scan that found new bytes, or one after the first */
	__u64 closed; /* whether it has ended; then: */
	__u64 total_sent;
	__u64 total_received;
	struct peer_series key; /* of the series that it counts in */
};

#define OPEN_CONNECTIONS 131072

/* By the socket: see socket_key(). Further connections count when they end. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, OPEN_CONNECTIONS);
	__type(key, __u64);
	__type(value, struct open_bytes);
} connection_open_bytes SEC(".maps");

/* The ones that have left their totals. There is room for all. */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, OPEN_CONNECTIONS);
	__type(value, __u64); /* key of connection_open_bytes */
} connection_ended SEC(".maps");

/* Connections that the scan under way has found first, and checks at its end. For more, user space makes another scan. */
#define NEW_CONNECTIONS 128

struct new_connection {
	__u64 key; /* of connection_open_bytes */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, NEW_CONNECTIONS);
	__type(key, __u32);
	__type(value, struct new_connection);
} connection_new SEC(".maps");

struct scan {
	__u64 number;    /* of the scan under way; user space sets it */
	__u64 found;     /* connections that it has found first */
	__u64 open;      /* connections that it has found, those included */
	__u64 confirmed; /* of those found first, how many are confirmed */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scan);
} connection_scan SEC(".maps");

/*
 * The addresses of the sockets whose state is in a slot, by the slot, from the establishment on. They stay after the end: who reads one
 * compares the socket's number.
 */
#define SOCKETS_OF_ROW 64

struct socket_row {
	__u64 sockets[SOCKETS_OF_ROW];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SOCKET_SLOTS / SOCKETS_OF_ROW);
	__type(key, __u32);
	__type(value, struct socket_row);
} connection_socket_rows SEC(".maps");

static __always_inline __u64 *socket_of_slot(__u32 slot)
{
	__u32 row = slot / SOCKETS_OF_ROW;
	struct socket_row *r = bpf_map_lookup_elem(&connection_socket_rows, &row);

	return r ? &r->sockets[slot % SOCKETS_OF_ROW] : NULL;
}

/* The number of a socket or, where sockets have none, its address. */
static __always_inline __u64 socket_key(const struct sock *sk)
{
	return by_address ? address_of(sk) : (__u64)sk->__sk_common.skc_cookie.counter;
}

/*
 * For an established connection: scans find its socket if it has a slot. Storage is found by itself. key is its socket_key(). Not
 * static: the verifier checks it once and not once per path of its callers.
 */
__noinline int keep_socket(__u64 key, __u64 socket)
{
	struct socket_slot *slot;
	__u64 *kept;

	if (by_address)
		return 0;
	slot = socket_slot(key);
	kept = socket_of_slot(key % SOCKET_SLOTS);
	if (slot && kept && holds_slot(&slot->slot, key))
		*kept = socket;
	return 0;
}

/* What is counted of them, by series: see connection_counts. */
struct byte_counts {
	__u64 sent;
	__u64 received;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct peer_series);
	__type(value, struct byte_counts);
} connection_byte_counts SEC(".maps");

/* For the end of a connection that a scan has found; key is its socket_key(). Returns false if the caller has to count its bytes. */
static __noinline bool leave_totals(__u64 key, const struct peer_series *series, __u64 sent, __u64 received)
{
	struct open_bytes *l = bpf_map_lookup_elem(&connection_open_bytes, &key);

	if (!l)
		return false;
	l->key = *series;
	l->total_sent = sent;
	l->total_received = received;
	barrier();
	l->closed = true;
	bpf_map_push_elem(&connection_ended, &key, 0);
	return true;
}
