/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Why a connection failed or ended with an error: ebpf.connection.cause. The error alone does not say it: a time-out may come from a
 * packet that this host drops, a refusal from this host's own firewall. So packets that are dropped on their way through this host
 * are kept by their addresses, and a connection that ends with an error looks for its own. Other connections cost nothing.
 */
#pragma once

#include "../include/headers.h"
#include "../include/missed.h"
#include "counts.h"

/* asm-generic/errno.h; the same on amd64 and arm64. */
enum {
	EPERM = 1,
	EAGAIN = 11,
	EACCES = 13,
	EINVAL = 22,
	ENONET = 64,
	EPROTO = 71,
	EMSGSIZE = 90,
	ENOPROTOOPT = 92,
	EOPNOTSUPP = 95,
	ENETUNREACH = 101,
	ETIMEDOUT = 110,
	ECONNREFUSED = 111,
	EHOSTDOWN = 112,
	EHOSTUNREACH = 113,
};

/* Packets with the same addresses and ports that this host has dropped. */
struct dropped {
	__u64 first; /* ns */
	__u64 last;
	__u64 location; /* of the last one: an address in the kernel's text */
	__u32 reason;   /* of the last one */
	__u32 packets;
};

#define DROPPED_FLOWS 8192
#define DROPPED_APART (180 * 1000000000ULL) /* ns; longer than between two SYNs of one connection */

/* Drops of this host's own traffic. A sent packet is under its socket's addresses, a received one under its source and destination. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, DROPPED_FLOWS);
	__type(key, struct flow);
	__type(value, struct dropped);
} connection_dropped SEC(".maps");

/*
 * SYNs and their answers without a socket: of containers, or a flood. They have a map of their own, so that they do not displace
 * others. The key is the first sequence number of the client, which stays where addresses are translated on the way.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, DROPPED_FLOWS);
	__type(key, __u32);
	__type(value, struct dropped);
} connection_dropped_syns SEC(".maps");

struct refusal {
	__u64 time; /* ns */
	struct endpoint by;
};

/* SYNs for ports of this host where nobody listens, by the first sequence number of the client. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct refusal);
} connection_refused SEC(".maps");

/* The drop reason for hosts that do not answer ARP or neighbour discovery. Without reasons, the functions below tell. */
const volatile __u32 neighbour_failed;
const volatile __u32 no_socket;           /* the reason for packets without a socket; 0: there is none */
const volatile __u32 kfree_skb_arguments; /* 2; from 5.17 on 3 or more, with the reason */

struct code_range {
	__u64 start; /* address */
	__u64 size;
};

#define NEIGHBOUR_FUNCTIONS 6 /* with the parts that the compiler moved out of them */

const volatile struct code_range neighbour_functions[NEIGHBOUR_FUNCTIONS];

static __always_inline bool is_neighbour_failure(const struct dropped *d)
{
	if (neighbour_failed && d->reason == neighbour_failed)
		return true;
	for (int i = 0; i < NEIGHBOUR_FUNCTIONS; i++)
		if (d->location - neighbour_functions[i].start < neighbour_functions[i].size)
			return true;
	return false;
}

/*
 * Reasons for which a policy keeps a segment from a socket that TCP has found for it: a filter, a cgroup program, a security module,
 * IPsec, or a signature. A bit for each reason.
 */
#define POLICY_WORDS 4

const volatile __u64 policy_reasons[POLICY_WORDS];

static __always_inline bool is_policy(__u32 reason)
{
	return reason < POLICY_WORDS * 64 && policy_reasons[reason / 64 & (POLICY_WORDS - 1)] >> reason % 64 & 1;
}

/* Whether a dropped buffer is a TCP segment that has not reached TCP. Segments that TCP itself discards do not count. */
static __always_inline bool is_on_its_way(const struct sk_buff *skb, __u32 reason)
{
	if (skb->protocol != bpf_htons(ETH_P_IP) && skb->protocol != bpf_htons(ETH_P_IPV6))
		return false;
	if (BPF_CORE_READ_BITFIELD(skb, pkt_type) == PACKET_OTHERHOST)
		return false;
	return skb->data - skb->head <= skb->network_header || is_policy(reason);
}

/*
 * The ends of a segment's connection as its socket has them, if it has one: in the segment they may be translated. Returns false
 * for a copy that a packet socket has.
 */
static __always_inline bool use_ends_of_socket(struct flow *flow, const struct sk_buff *skb, bool *has_socket)
{
	struct sock *sk = skb->sk;
	__u8 state;

	*has_socket = false;
	if (!sk)
		return true;
	if (sk->__sk_common.skc_family != AF_INET && sk->__sk_common.skc_family != AF_INET6)
		return false;
	state = sk->__sk_common.skc_state;
	if (state == TCP_TIME_WAIT || state == TCP_NEW_SYN_RECV || state == TCP_LISTEN || sk->sk_protocol != IPPROTO_TCP)
		return true;
	if (state == TCP_CLOSE) /* the kernel's own, for resets without a socket */
		return true;
	if (!sk->__sk_common.skc_num) /* it is being closed */
		return true;
	read_common_flow(flow, &sk->__sk_common, false);
	*has_socket = true;
	return true;
}

static __always_inline void add_dropped(void *map, const void *key, __u64 location, __u32 reason)
{
	__u64 now = bpf_ktime_get_ns();
	struct dropped new = {.first = now, .last = now, .location = location, .reason = reason, .packets = 1};
	struct dropped *d = bpf_map_lookup_elem(map, key);

	if (!d || now - d->last > DROPPED_APART) {
		bpf_map_update_elem(map, key, &new, BPF_ANY);
		return;
	}
	d->last = now;
	d->location = location;
	d->reason = reason;
	__sync_fetch_and_add(&d->packets, 1);
}

static __noinline int keep_dropped(const struct sk_buff *skb, __u64 location, __u32 reason)
{
	struct headers h = {};
	bool has_socket;
	__u32 first;
	__u8 flags;

	if (!read_headers(&h, skb) || h.packet.protocol != IPPROTO_TCP || !h.packet.flow.remote_port)
		return 0;
	flags = h.packet.tcp_flags;
	if (!use_ends_of_socket(&h.packet.flow, skb, &has_socket))
		return 0;
	first = flags & TCP_ACK ? h.acknowledged - 1 : h.sequence;
	if (!has_socket && flags & TCP_SYN)
		add_dropped(&connection_dropped_syns, &first, location, reason);
	else
		add_dropped(&connection_dropped, &h.packet.flow, location, reason);
	return 0;
}

/* TCP has no socket for a packet, so that it sends a reset. */
static __noinline int keep_refused(const struct sk_buff *skb)
{
	struct headers h = {};
	struct refusal refusal = {};

	if (!read_headers(&h, skb) || h.packet.protocol != IPPROTO_TCP || (h.packet.tcp_flags & (TCP_SYN | TCP_ACK)) != TCP_SYN)
		return 0;
	refusal.time = bpf_ktime_get_ns();
	refusal.by.address = h.packet.flow.remote;
	refusal.by.port = h.packet.flow.remote_port;
	bpf_map_update_elem(&connection_refused, &h.sequence, &refusal, BPF_ANY);
	return 0;
}

/* skb, location[, reason]: from the raw context, because kernels differ in the number. */
#define DROP_REASON (kfree_skb_arguments > 2 ? (__u32)ctx[2] : 0)

SEC("tp_btf/kfree_skb")
int connection_drop(__u64 *ctx)
{
	struct sk_buff *skb = (struct sk_buff *)ctx[0];

	if (no_socket && DROP_REASON == no_socket) {
		keep_refused(skb);
		return 0;
	}
	if (!is_on_its_way(skb, DROP_REASON))
		return 0;
	mark_handled(skb, ctx[1] >> 4, 0);
	keep_dropped(skb, ctx[1], DROP_REASON);
	return 0;
}

SEC("tp_btf/kfree_skb")
int connection_drop_missed(__u64 *ctx)
{
	struct sk_buff *skb = (struct sk_buff *)ctx[0];

	if (is_on_its_way(skb, DROP_REASON) && take_missed(skb, ctx[1] >> 4, 0))
		keep_dropped(skb, ctx[1], DROP_REASON);
	return 0;
}

#define SOME (~0ULL) /* in the place of first: the number of packets is not known */

/* Adds what was dropped of a connection since it began. */
static __always_inline void take_dropped(struct dropped *sum, void *map, const void *key, __u64 since)
{
	struct dropped *d = bpf_map_lookup_elem(map, key);

	if (!d)
		return;
	if (d->last >= since && d->last >= sum->last) {
		sum->last = d->last;
		sum->location = d->location;
		sum->reason = d->reason;
	}
	if (d->first >= since)
		sum->packets += d->packets;
	else if (d->last >= since)
		sum->first = SOME; /* an earlier connection with the same ends had the others */
	bpf_map_delete_elem(map, key);
}

/* What is asked of a connection that ended with an error, and the answer. */
struct diagnosis {
	__u64 socket; /* address: whose diagnosis it is */
	struct flow flow;
	__u32 error;
	__u64 since;
	__u64 duration; /* ns */
	__u64 now;
	__u64 user_timeout; /* ns; 0: none */
	__u32 segments_in;
	__u32 segments_out;
	struct flow answers; /* the flow as the peer's packets have it */
	__u32 netns;
	__u8 family;
	bool opened;
	__u8 pad[2];
	__u32 first; /* sequence number of a client that was not answered */
	struct dropped dropped;
	struct ending ending;
	struct endpoint refused_by;
};

/* For explain(), whose argument cannot be a pointer. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct diagnosis);
} connection_diagnosis SEC(".maps");

/* Whether only an ICMP error gives a TCP socket this error, unless a reset does: see icmp_err_convert[]. */
static __always_inline bool is_icmp_error(__u32 error)
{
	switch (error) {
	case EACCES:
	case ENONET:
	case EPROTO:
	case EMSGSIZE:
	case ENOPROTOOPT:
	case EOPNOTSUPP:
	case ENETUNREACH:
	case ECONNREFUSED:
	case EHOSTDOWN:
	case EHOSTUNREACH:
		return true;
	}
	return false;
}

/*
 * A reset that the firewall of this host makes is received at once: it is sent where the packet is dropped. A packet that was
 * dropped long before has another cause.
 */
#define REJECTED_WITHIN (100 * 1000000ULL) /* ns */

static __always_inline enum cause reset_cause(const struct dropped *d, __u64 now)
{
	return d->last && now - d->last < REJECTED_WITHIN ? CAUSE_REJECTED_HERE : CAUSE_RESET_BY_PEER;
}

/*
 * Whether a client's own host has the listener, in the client's network namespace, and its accept queue is full. The kernel frees SYNs
 * that find it full like delivered ones.
 */
static __always_inline bool is_queue_full(const struct diagnosis *q)
{
	struct port port = {.netns = q->netns, .number = q->flow.remote_port, .family = q->family};
	struct listener *l;

	if (!is_loopback(&q->flow.remote) && __builtin_memcmp(&q->flow.remote, &q->flow.local, sizeof(q->flow.remote)))
		return false;
	l = bpf_map_lookup_elem(&ebpf_listeners, &port);
	if (!l && port.family == AF_INET) {
		port.family = AF_INET6; /* an IPv6 listener may accept IPv4, too */
		l = bpf_map_lookup_elem(&ebpf_listeners, &port);
	}
	return l && l->socket && is_full_listener((const struct sock *)l->socket);
}

/* Who on this host has refused a client, if that is not the server which the client has named. */
static __always_inline void find_refusal(struct diagnosis *q)
{
	struct refusal *r = bpf_map_lookup_elem(&connection_refused, &q->first);

	if (!r || r->time < q->since)
		return;
	if (r->by.port != q->flow.remote_port || __builtin_memcmp(&r->by.address, &q->flow.remote, sizeof(r->by.address)))
		q->refused_by = r->by;
}

/* For a client that was not answered. */
static __always_inline enum cause failure_cause(const struct diagnosis *q, const struct dropped *d)
{
	__u32 error = q->error;

	if (error == EADDRNOTAVAIL && !q->segments_out)
		return CAUSE_NO_LOCAL_PORT;
	if (q->segments_in && (error == ECONNREFUSED || error == ECONNRESET)) /* first: no SYN has left this host */
		return d->packets >= q->segments_out ? CAUSE_REJECTED_HERE : reset_cause(d, q->now);
	if (error == ETIMEDOUT && !d->last)
		return q->user_timeout && q->duration >= q->user_timeout ? CAUSE_GAVE_UP : CAUSE_NO_ANSWER;
	if (error == ERROR_ABORTED && !d->last)
		return CAUSE_GAVE_UP;
	if (error == ETIMEDOUT || error == ERROR_ABORTED)
		return CAUSE_LOCAL_DROP;
	if (!is_icmp_error(error))
		return CAUSE_UNKNOWN;
	/* The kernel sends itself an ICMP error if a neighbour does not answer. */
	return d->last && is_neighbour_failure(d) ? CAUSE_LOCAL_DROP : CAUSE_ICMP_UNREACHABLE;
}

/* For a connection that was established. */
static __always_inline enum cause end_cause(const struct dropped *d, __u32 error, __u64 now)
{
	if (error == ECONNRESET)
		return reset_cause(d, now);
	if (error == ETIMEDOUT)
		return CAUSE_PEER_VANISHED;
	return is_icmp_error(error) ? CAUSE_ICMP_UNREACHABLE : CAUSE_UNKNOWN;
}

/* Finds out why a connection failed, or ended with an error. Not static: the verifier follows it once, and not for each caller. */
__noinline int explain(__u32 zero)
{
	struct diagnosis *q = bpf_map_lookup_elem(&connection_diagnosis, &zero);
	struct dropped *d;

	if (!q)
		return 0;
	/* In the map: three functions share 512 bytes of stack. */
	d = &q->dropped;
	q->answers.local = q->flow.remote;
	q->answers.remote = q->flow.local;
	q->answers.local_port = q->flow.remote_port;
	q->answers.remote_port = q->flow.local_port;
	take_dropped(d, &connection_dropped, &q->flow, q->since);
	take_dropped(d, &connection_dropped, &q->answers, q->since);
	if (!q->opened)
		take_dropped(d, &connection_dropped_syns, &q->first, q->since);
	q->ending.cause = q->opened ? end_cause(d, q->error, q->now) : failure_cause(q, d);
	if (!d->last && (q->ending.cause == CAUSE_NO_ANSWER || q->ending.cause == CAUSE_GAVE_UP) && is_queue_full(q)) {
		q->ending.cause = CAUSE_LOCAL_DROP;
		q->ending.queue_full = true;
	}
	if (!q->opened && q->error == ECONNREFUSED)
		find_refusal(q);
	q->ending.location = d->location;
	q->ending.reason = d->reason;
	q->ending.drops = d->first == SOME ? 0 : d->packets;
	return 0;
}

/* For a system call that failed before anything was sent. A refusal is that of an earlier datagram. */
static __always_inline enum cause call_cause(__u32 error, const struct flow *flow)
{
	switch (error) {
	case EPERM:
	case EACCES:
		return CAUSE_DENIED;
	case ENETUNREACH:
	case EHOSTUNREACH:
	case EADDRNOTAVAIL: /* no address of this host fits to the route */
		return CAUSE_NO_ROUTE;
	case EINVAL: /* the route is a black hole; or a link-local address without its interface */
		return has_link_local(flow) ? CAUSE_UNKNOWN : CAUSE_NO_ROUTE;
	case EAGAIN: /* for a connect() of UDP; a datagram finds the port before its hook */
		return CAUSE_NO_LOCAL_PORT;
	case ECONNREFUSED:
		return CAUSE_ICMP_UNREACHABLE;
	}
	return CAUSE_UNKNOWN;
}
