/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Attempts whose system call has not returned yet: a connect() or datagram of UDP, and a connect() of TCP until its socket leaves the
 * state CLOSE. After that the socket's states show the rest.
 */
#pragma once

#include "../include/task_work.h"
#include "causes.h"
#include "counts.h"

enum { EALREADY = 114, EISCONN = 106 };

/* Whether a connect() of TCP that fails before its first SYN is reported: TCP is followed, and task work has the result. */
const volatile bool awaits_connect;

/* A peer that a UDP socket has sent to, or tried to. */
struct udp_peer {
	__u64 cookie;
	struct address address;
	__u32 port;
	__u32 pad;
};

/*
 * A connect() of TCP fails before its first SYN if there is no route, or if a program of a cgroup denies it. Waiting for the result
 * costs some µs. A destination to which a connect() has sent a SYN since the routes last changed needs no wait: this table remembers
 * these destinations, see route_to(). Two with the same hash displace each other.
 */
#define ROUTED_BITS 12

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1 << ROUTED_BITS);
	__type(key, __u32);
	__type(value, __u64); /* what route_to() returns */
} connection_routed SEC(".maps");

/* The entry of a destination. */
static __always_inline __u64 *find_routed(__u64 route)
{
	__u32 place = route >> (64 - ROUTED_BITS);

	return bpf_map_lookup_elem(&connection_routed, &place);
}

struct attempt {
	struct udp_peer peer; /* of TCP the cookie only */
	struct owner owner;
	__u64 time; /* ns */
	struct flow flow;
	__u32 netns;
	__u8 transport; /* 0: there is none */
	__u8 state;     /* of UDP: enum udp_peer_state, before the attempt; 0: it is the socket's only peer */
	bool started;   /* of TCP: the socket's states show the rest */
	bool hooked;    /* as in struct event */
	bool unsent;    /* as in struct event */
	__u8 attribution;
	bool gone; /* as in struct event */
	__u8 pad[1];
	char interface[INTERFACE_NAME_SIZE]; /* as in struct event */
	__u64 route;                         /* of TCP: what route_to() returns */
};

struct awaited {
	struct bpf_task_work work;
	struct attempt attempt;
};

/* The initial value of a struct awaited. Constants cannot hold a struct bpf_task_work. */
struct no_attempt {
	__u64 work;
	struct attempt attempt;
};

/*
 * By thread, because a thread makes one call at a time. Attempts are built in this map and not in memory per CPU: unlike tracing
 * programs, cgroup programs can interrupt themselves, and would overwrite it.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 8192);
	__type(key, __u64); /* pid_tgid */
	__type(value, struct awaited);
} connection_attempts SEC(".maps");

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct sockaddr_in6 {
	__u16 sin6_family;
	__u32 sin6_scope_id; /* index of a network interface */
};

/* The kernel's context of the cgroup hooks. Programs see it as struct bpf_sock_addr. */
struct bpf_sock_addr_kern {
	struct sockaddr_in6 *uaddr;
};

#pragma clang attribute pop

/*
 * The index of the network interface for a link-local address: the address's scope, or the interface that the socket is bound to.
 * 0: routing selects it.
 */
static __always_inline __u32 interface_of(struct bpf_sock_addr *ctx, const struct sock *sk, const struct flow *flow)
{
	struct bpf_sock_addr_kern *kernel = (struct bpf_sock_addr_kern *)address_of(ctx);
	__u32 scope = 0;

	if (!is_ipv4(&flow->remote) && is_link_local(&flow->remote))
		scope = BPF_CORE_READ(kernel, uaddr, sin6_scope_id);
	return scope ? scope : (__u32)BPF_CORE_READ(sk, __sk_common.skc_bound_dev_if);
}

/* Reads fields that struct bpf_sock does not have. Its address is that of the struct sock. */
static __always_inline void read_place(struct attempt *a, struct bpf_sock_addr *ctx, struct bpf_sock *bpf_sock)
{
	struct sock *sk = (struct sock *)address_of(bpf_sock);
	struct net *net = BPF_CORE_READ(sk, __sk_common.skc_net.net);

	a->netns = BPF_CORE_READ(net, ns.inum);
	a->hooked = is_hooked(net);
	__builtin_memset(a->interface, 0, sizeof(a->interface));
	if (has_link_local(&a->flow))
		find_interface(a->interface, (__u64)net, interface_of(ctx, sk, &a->flow));
}

/* Reads the owner of an attempt: the calling process, because several processes may share the socket. */
static __always_inline void read_caller(struct attempt *a)
{
	read_owner(&a->owner, current_task());
	a->attribution = ATTRIBUTION_CURRENT;
	a->gone = false;
	if (a->owner.pid)
		return;
	a->owner.cgroup = bpf_get_current_cgroup_id();
	a->attribution = ATTRIBUTION_CGROUP;
}

/* Counts and reports an attempt; error is an errno or 0. The event is EVENT_CONNECT, or EVENT_CLOSE for an error that comes later. */
static __always_inline void report_attempt(__u8 event, const struct attempt *a, __u32 error)
{
	struct peer_series key = {
		.series = {.cgroup = a->owner.cgroup, .transport = a->transport, .role = ROLE_CLIENT, .error = error},
	};
	struct event *e;

	key.series.type = type_of(&a->flow);
	key.series.cause = call_cause(error, &a->flow);
	set_server(&key.server, &a->flow, ROLE_CLIENT);
	count(&key, error ? COUNT_FAILED : COUNT_OPENED);

	if (!event_enabled(event) || !take_from_limit_of(event_kind(event, error)))
		return;
	e = reserve_record(event, sizeof(*e), a->time, error);
	if (!e)
		return;
	e->owner = a->owner;
	e->flow = a->flow;
	e->transport = a->transport;
	e->role = ROLE_CLIENT;
	e->attribution = a->attribution;
	e->gone = a->gone;
	e->cookie = a->peer.cookie;
	e->duration = 0;
	e->bytes_sent = 0;
	e->bytes_received = 0;
	__builtin_memset(&e->ending, 0, sizeof(e->ending));
	e->ending.cause = key.series.cause;
	__builtin_memset(&e->account, 0, sizeof(e->account));
	__builtin_memset(&e->refused_by, 0, sizeof(e->refused_by));
	e->rtt = 0;
	e->rtt_min = 0;
	e->retransmits = 0;
	e->netns = a->netns;
	e->error = error;
	e->family = 0;
	e->unsent = a->unsent;
	e->subflow = false;
	e->hooked = a->hooked;
	__builtin_memcpy(e->interface, a->interface, sizeof(e->interface));
	submit_record(e);
}

/* A connect() of TCP has returned. */
static __noinline int on_connected(struct attempt *a, int result)
{
	__u32 error = -result;

	if (!a || a->started || result >= 0)
		return 0;
	if (error == EINPROGRESS || error == EALREADY || error == EISCONN || error >= ERESTARTSYS)
		return 0;
	read_caller(a);
	if (is_excluded_process(&a->owner) || is_excluded_flow(&a->flow))
		return 0;
	report_attempt(EVENT_CONNECT, a, error);
	return 0;
}

/* The socket of this task's connect() has left the state CLOSE. */
static __always_inline void mark_started(void)
{
	__u64 thread = bpf_get_current_pid_tgid(), *routed;
	struct awaited *wait;

	if (!awaits_connect)
		return;
	wait = bpf_map_lookup_elem(&connection_attempts, &thread);
	if (!wait || wait->attempt.transport != IPPROTO_TCP)
		return;
	wait->attempt.started = true;
	routed = find_routed(wait->attempt.route);
	if (routed)
		*routed = wait->attempt.route;
}
