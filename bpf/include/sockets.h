/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * What all programs know of a socket: its owner, and the side of a connection that it is. Programs look it up here. It is
 * written by track.h only, so that no program changes what another one reports.
 */
#pragma once

#include "compat_5_10.h"
#include "life.h"
#include "slots.h"

enum role {
	ROLE_UNKNOWN,
	ROLE_CLIENT,
	ROLE_SERVER,
};

struct socket_state {
	struct owner owner;
	struct life life; /* of the owner */
	__u8 role;
	bool closed; /* the connection has ended; it is kept for those who ask until the socket is gone */
};

#define SOCKET_SLOTS 32768

/* TCP sockets, by their cookie: a running number. See slots.h. */
struct socket_slot {
	struct slot slot;
	struct socket_state state; /* of a closed socket, until another socket gets the slot */
	/* Parts of one program each: see parts.h. */
	__u64 connection[2];
	__u64 tcp[1];
};

_Static_assert(sizeof(struct socket_slot) == 128,
	       "the size of a slot is a power of two, by which an index is multiplied at no cost");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SOCKET_SLOTS);
	__type(key, __u32);
	__type(value, struct socket_slot);
} ebpf_socket_slots SEC(".maps");

/*
 * Sockets that are not TCP, TCP sockets that found their slot taken, and listeners that share their port. The kernel frees the
 * storage with the socket, and copies it from a listener to each connection that the listener accepts. An allocation is ten
 * times as expensive as a slot; it is charged to the collector's memory cgroup, the socket to that of its process.
 */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct socket_state);
} ebpf_socket_storage SEC(".maps");

/* In place of both where by_address is set. When a map is full, those that were used least recently go. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, struct socket_state);
} ebpf_sockets_by_address SEC(".maps");

/* Closed sockets are in a map of their own, so that they do not displace open ones. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, struct socket_state);
} ebpf_closed_by_address SEC(".maps");

struct port {
	__u32 netns;
	__u16 number; /* host byte order */
	__u16 family;
};

struct listener {
	struct owner owner;
	struct life life;
	__u8 pad[2];
	__u64 socket; /* the address of its struct sock; 0: an MPTCP socket, whose TCP socket cannot be reached */
};

/* The first listener on each port. It owns the connections that came without a copy of a listener's storage. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct port);
	__type(value, struct listener);
} ebpf_listeners SEC(".maps");

/* Whether the accept queue is full. */
static __always_inline bool is_full_listener(const struct sock *listener)
{
	return BPF_CORE_READ(listener, sk_ack_backlog) > BPF_CORE_READ(listener, sk_max_ack_backlog);
}

static __always_inline struct port port_of(const struct sock *sk)
{
	struct port p = {
		.netns = READ(by_address, sk, __sk_common.skc_net.net, ns.inum),
		.number = READ(by_address, sk, __sk_common.skc_num),
		.family = READ(by_address, sk, __sk_common.skc_family),
	};

	return p;
}

static __always_inline struct socket_slot *socket_slot(__u64 cookie)
{
	__u32 index = cookie % SOCKET_SLOTS;

	return bpf_map_lookup_elem(&ebpf_socket_slots, &index);
}

/* What is stored in a socket, open or closed; NULL if there is nothing. */
static __always_inline struct socket_state *stored_state(struct sock *sk)
{
	if (by_address)
		return entry_by_address(&ebpf_sockets_by_address, address_of(sk), NULL);
	/* Most sockets have no storage. This check is cheaper than the helper. */
	if (!sk->sk_bpf_storage)
		return NULL;
	return bpf_sk_storage_get(&ebpf_socket_storage, sk, NULL, 0);
}

/* The state of a socket that is not closed; NULL if it is not known. */
static __always_inline struct socket_state *find_state(struct sock *sk)
{
	__u64 cookie = sk->__sk_common.skc_cookie.counter;
	struct socket_slot *slot;
	struct socket_state *s;

	if (cookie) {
		slot = socket_slot(cookie);
		if (slot && holds_slot(&slot->slot, cookie) && !slot->state.closed)
			return &slot->state;
	}
	s = stored_state(sk);
	return s && !s->closed ? s : NULL;
}

/* The state that a closed socket has left in its slot, until another socket takes the slot. */
static __always_inline struct socket_state *find_closed_slot(__u64 cookie)
{
	struct socket_slot *slot = socket_slot(cookie);

	return slot && holds_slot(&slot->slot, cookie) && slot->state.closed ? &slot->state : NULL;
}

/* The state of a closed socket; NULL if it is not known any more. */
static __always_inline struct socket_state *find_closed(struct sock *sk)
{
	struct socket_state *s;

	if (by_address)
		return entry_by_address(&ebpf_closed_by_address, address_of(sk), NULL);
	s = find_closed_slot(sk->__sk_common.skc_cookie.counter);
	return s ? s : stored_state(sk);
}

/*
 * The owner of a socket whose state is known, open or closed; NULL if the owner is gone and the socket has another holder. The
 * last holder of a socket that nobody holds any more stays its owner.
 */
static __always_inline const struct owner *owner_of(struct sock *sk, const struct socket_state *s)
{
	return sk->sk_socket && is_gone(&s->owner, &s->life) ? NULL : &s->owner;
}

/* The owner of a socket of any kind; NULL if it is not known. */
static __always_inline const struct owner *find_owner(struct sock *sk)
{
	struct socket_state *s = find_state(sk);
	struct listener *l;
	struct port port;

	if (s)
		return owner_of(sk, s);
	if (sk->__sk_common.skc_state != TCP_LISTEN)
		return NULL;
	port = port_of(sk);
	l = bpf_map_lookup_elem(&ebpf_listeners, &port);
	return l && !is_gone(&l->owner, &l->life) ? &l->owner : NULL;
}

_Static_assert(offsetof(struct socket_state, life) == sizeof(struct owner) &&
		       offsetof(struct listener, life) == sizeof(struct owner),
	       "find_owner() and owner_of() return owners that have their life behind them");

/* Copies what find_owner() or owner_of() has returned into a record, with the user that it has now. NULL: there is no owner. */
static __always_inline void put_owner(struct owner *to, const struct owner *o)
{
	if (o && o->pid) {
		*to = *o;
		update_user(to, (const struct life *)(o + 1));
	} else {
		__builtin_memset(to, 0, sizeof(*to));
	}
}

static __always_inline __u64 socket_cgroup(const struct sock *sk)
{
	struct cgroup *cgroup;
	__u64 id;

	if (!bpf_core_field_exists(sk->sk_cgrp_data.cgroup)) {
		cgroup = (struct cgroup *)(BPF_CORE_READ((struct sock___pre_5_15 *)sk, sk_cgrp_data.val) & ~3ULL);
		/* NULL is the root, whose id is 1. */
		return cgroup ? BPF_CORE_READ(cgroup, kn, id) : 1;
	}
	id = sk->sk_cgrp_data.cgroup->kn->id;
	/* Keeps the compiler from merging this load with others: the verifier wants one kind of pointer at each. */
	barrier_var(id);
	return id;
}
