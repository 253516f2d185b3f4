/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* The events and series of connections of all protocols. */
#pragma once

#include "../include/filter.h"
#include "../include/histogram.h"
#include "../include/interface.h"
#include "../include/shares.h"
#include "../include/sockets.h"

enum event_id {
	EVENT_CONNECT,
	EVENT_ACCEPT,
	EVENT_CLOSE,
	EVENT_CONNECT_UNIX,
	EVENT_JOIN, /* a further subflow of an MPTCP connection */
};

/* network.transport: an IP protocol number, or this. */
enum { TRANSPORT_UNIX = 255 };

struct event {
	struct record record;
	struct owner owner;
	struct flow flow;
	__u8 transport;
	__u8 role;
	__u8 attribution;
	bool gone; /* the owner is: another process may have the socket */
	__u64 cookie;
	__u64 duration; /* ns: of the handshake; in a close event, since the establishment; 0: not known */
	__u64 bytes_sent;
	__u64 bytes_received;
	__u32 rtt;     /* µs, smoothed */
	__u32 rtt_min; /* µs */
	__u32 retransmits;
	__u32 netns;
	__u32 error; /* errno or enum failure */
	__u8 family;
	bool unsent;                         /* a UDP socket was connected, which sends nothing by itself */
	bool subflow;                        /* a further one of an MPTCP connection */
	bool hooked;                         /* netfilter looks at what its namespace sends, and may translate addresses */
	char interface[INTERFACE_NAME_SIZE]; /* of a link-local address; empty: not known */
};

/* Values of an error that are no errno. */
enum failure {
	ERROR_ABORTED = 1 << 16, /* by its own process */
	ERROR_OTHER,             /* the kernel did not say why */
};

struct series {
	__u64 cgroup;
	__u32 error;
	__u8 transport;
	__u8 type; /* 4, 6; 0: neither */
	__u8 role;
	__u8 pad;
};

struct counts {
	__u64 found; /* existed before the receiver */
	__u64 opened;
	__u64 failed;
	__u64 closed;
	__u64 bytes_sent;
	__u64 bytes_received;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct series);
	__type(value, struct counts);
} connection_counts SEC(".maps");

/* Durations of established connections, with their role, and of handshakes, with ROLE_UNKNOWN. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 1024); /* or less, by the number of CPUs */
	__type(key, struct series);
	__type(value, struct histogram);
} connection_durations SEC(".maps");

static __always_inline struct counts *find_counts(struct series *key)
{
	static const struct counts none;

	return FIND_SERIES(&connection_counts, key, &none, {.cgroup = OVERFLOW_CGROUP});
}

static __always_inline void add_duration(const struct series *series, __u8 role, __u64 ns)
{
	struct series key = *series;
	struct histogram *h;

	key.role = role;
	h = FIND_SERIES(&connection_durations, &key, zero_histogram(), {.cgroup = OVERFLOW_CGROUP, .role = role});
	if (h)
		add_to_histogram(h, ns);
}

/* Whether netfilter looks at what a namespace sends. By a helper: verifiers want a branch for each pointer, see interface.h. */
static __always_inline bool is_hooked(const struct net *net)
{
	return (__u64)BPF_CORE_READ(net, nf.hooks_ipv4[NF_INET_LOCAL_OUT]) |
	       (__u64)BPF_CORE_READ(net, nf.hooks_ipv6[NF_INET_LOCAL_OUT]);
}
