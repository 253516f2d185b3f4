/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* The events and series of connections of all protocols. */
#pragma once

#include "../include/filter.h"
#include "../include/histogram.h"
#include "../include/interface.h"
#include "../include/peer.h"
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

/* ebpf.connection.cause: see causes.h. */
enum cause {
	CAUSE_UNKNOWN,
	CAUSE_LOCAL_DROP,
	CAUSE_REJECTED_HERE,
	CAUSE_RESET_BY_PEER,
	CAUSE_ICMP_UNREACHABLE,
	CAUSE_NO_ANSWER,
	CAUSE_NO_ROUTE,
	CAUSE_DENIED,
	CAUSE_NO_LOCAL_PORT,
	CAUSE_GAVE_UP,
	CAUSE_PEER_VANISHED,
};

/* How a connection that failed, or that ended with an error, has ended; zeros for others. */
struct ending {
	__u64 location; /* where this host dropped the last of its packets: an address in the kernel's text; 0: it dropped none */
	__u32 reason;   /* of that */
	__u32 drops;    /* its packets that this host dropped */
	__u8 cause;
	bool queue_full; /* the accept queue of the listener, which is on this host: its SYNs are dropped without a trace */
	__u8 pad[6];
};

/* TCP's account of a connection that was closed: see account.h. Times are in jiffies. */
struct account {
	__u64 jiffies; /* when it was read; 0: not at all */
	__u32 busy;    /* with data to send or unacknowledged, the two below included */
	__u32 window_limited;
	__u32 buffer_limited;
	__u32 out_of_order; /* segments received */
	__u32 duplicates;   /* segments that the peer has received twice */
	__u32 zero_windows; /* how often the peer has closed its window: see account.h */
	__u8 congestion;    /* enum tcp_ca_state; 0: open */
	__u8 pad[7];
};

struct event {
	struct record record;
	struct owner owner;
	struct flow flow;
	__u8 transport;
	__u8 role;
	__u8 attribution;
	bool gone; /* the owner is, or is not known: another process may have the socket */
	__u64 cookie;
	__u64 duration; /* ns: of the handshake; in a close event, since the establishment; 0: not known */
	__u64 bytes_sent;
	__u64 bytes_received;
	struct ending ending;
	struct account account;
	struct endpoint refused_by; /* who has refused it on this host in place of the server; port 0: not known */
	__u32 rtt;                  /* µs, smoothed */
	__u32 rtt_min;              /* µs */
	__u32 retransmits;
	__u32 netns;
	__u32 error; /* errno or enum failure */
	__u8 family;
	bool unsent;                         /* a UDP socket was connected, which sends nothing by itself */
	bool subflow;                        /* a further one of an MPTCP connection */
	bool hooked;                         /* netfilter looks at what its namespace sends, and may translate addresses */
	char interface[INTERFACE_NAME_SIZE]; /* of a link-local address; empty: not known */
};

/* Values of an error besides errnos. */
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
	__u8 cause; /* of those that failed */
};

struct peer_series {
	struct series series;
	struct endpoint server;
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
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH); /* by peer a BPF_MAP_TYPE_HASH with more room */
	__uint(max_entries, 4096);
	__type(key, struct peer_series);
	__type(value, struct counts);
} connection_counts SEC(".maps");

/* Durations of established connections, with their role, and of handshakes, with ROLE_UNKNOWN. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 1024); /* or less, by the number of CPUs */
	__type(key, struct series);
	__type(value, struct histogram);
} connection_durations SEC(".maps");

/* What a series has besides its cgroup, as a number. */
static __always_inline __u64 labels_of(const struct series *series)
{
	return ((const __u64 *)series)[1];
}

static __always_inline struct series series_of(__u64 cgroup, __u64 labels)
{
	struct series series = {.cgroup = cgroup};

	((__u64 *)&series)[1] = labels;
	return series;
}

/* The kinds of changes of the counts. */
enum {
	COUNT_FOUND = 1 << 0,
	COUNT_OPENED = 1 << 1,
	COUNT_FAILED = 1 << 2,
	COUNT_CLOSED = 1 << 3,
};

static __always_inline void add_counts(struct peer_series *key, __u32 what, __u64 sent, __u64 received)
{
	static const struct counts none;
	struct counts *counts = FIND_SERIES(&connection_counts, key, &none, {.series = {.cgroup = OVERFLOW_CGROUP}});

	if (!counts)
		return;
	if (what & COUNT_FOUND)
		__sync_fetch_and_add(&counts->found, 1);
	if (what & COUNT_OPENED)
		__sync_fetch_and_add(&counts->opened, 1);
	if (what & COUNT_FAILED)
		__sync_fetch_and_add(&counts->failed, 1);
	if (what & COUNT_CLOSED)
		__sync_fetch_and_add(&counts->closed, 1);
	if (sent)
		__sync_fetch_and_add(&counts->bytes_sent, sent);
	if (received)
		__sync_fetch_and_add(&counts->bytes_received, received);
}

static __noinline int add_counts_of_peer(struct peer_series *key, __u32 what, __u64 sent, __u64 received)
{
	add_counts(key, what, sent, received);
	return 0;
}

/* Not static, and with numbers only: so verifiers follow it once, and not for each caller and each of its paths. */
__noinline int add_counts_of(__u64 cgroup, __u64 labels, __u32 what, __u64 sent, __u64 received)
{
	struct peer_series key = {.series = series_of(cgroup, labels)};

	add_counts(&key, what, sent, received);
	return 0;
}

static __always_inline void count_bytes(struct peer_series *key, __u32 what, __u64 sent, __u64 received)
{
	if (by_peer)
		add_counts_of_peer(key, what, sent, received);
	else
		add_counts_of(key->series.cgroup, labels_of(&key->series), what, sent, received);
}

static __always_inline void count(struct peer_series *key, __u32 what)
{
	count_bytes(key, what, 0, 0);
}

/* Not static, as above: its bisection has 256 outcomes. */
__noinline int add_duration_of(__u64 cgroup, __u64 labels, __u64 ns)
{
	struct series key = series_of(cgroup, labels);
	struct histogram *h =
		FIND_SERIES(&connection_durations, &key, zero_histogram(), {.cgroup = OVERFLOW_CGROUP, .role = key.role});

	if (h)
		add_to_histogram(h, ns);
	return 0;
}

static __always_inline void add_duration(const struct series *series, __u64 ns)
{
	add_duration_of(series->cgroup, labels_of(series), ns);
}

/* Whether netfilter looks at what a namespace sends. By a helper: verifiers want a branch for each pointer, see interface.h. */
static __always_inline bool is_hooked(const struct net *net)
{
	return (__u64)BPF_CORE_READ(net, nf.hooks_ipv4[NF_INET_LOCAL_OUT]) |
	       (__u64)BPF_CORE_READ(net, nf.hooks_ipv6[NF_INET_LOCAL_OUT]);
}
