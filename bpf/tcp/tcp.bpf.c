//go:build ignore

// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
// Retransmits, resets and round-trip times of TCP connections.
#include "../include/filter.h"
#include "../include/histogram.h"
#include "../include/interface.h"
#include "../include/missed.h"
#include "../include/packet.h"
#include "../include/parts.h"
#include "../include/peer.h"
#include "../include/shares.h"

enum event_id {
	EVENT_RETRANSMIT,
	EVENT_RESET_SENT,
	EVENT_RESET_RECEIVED,
};

/* Why a segment is sent again: ebpf.tcp.retransmit.type. */
enum retransmit {
	RETRANSMIT_UNKNOWN,
	RETRANSMIT_SYN,
	RETRANSMIT_SYN_ACK,
	RETRANSMIT_FAST,
	RETRANSMIT_TIMEOUT,
	RETRANSMIT_TAIL_LOSS_PROBE,
};

#define NO_REASON ~0U

/* The number of arguments of two tracepoints on this kernel. */
const volatile __u32 retransmit_arguments; /* of tcp_retransmit_skb: 2; 3 with the error */
const volatile __u32 reset_arguments;      /* of tcp_send_reset: 2; 3 with the reason */

/* µs between two samples of a connection's round-trip time. */
const volatile __u32 rtt_interval;

struct event {
	struct record record;
	struct owner owner;
	struct flow flow; /* of a reset without a role: local is the sender */
	__u32 netns;
	__u64 cookie;
	__u32 reason;   /* of a reset that was sent; NO_REASON: not known */
	__u32 segments; /* that were sent again */
	__u8 retransmit;
	__u8 role;
	__u8 attribution;
	__u8 state; /* of the socket; 0: there is none */
	__u32 pad;
	char interface[INTERFACE_NAME_SIZE]; /* of a link-local address; empty: not known */
};

struct series {
	__u64 cgroup;
	__u32 reason;
	__u8 event;
	__u8 retransmit;
	__u8 type; /* 4, 6 */
	__u8 role;
};

struct peer_series {
	struct series series;
	struct endpoint server;
};

struct counts {
	__u64 n; /* segments sent again, or resets */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH); /* by peer a BPF_MAP_TYPE_HASH with more room */
	__uint(max_entries, 4096);
	__type(key, struct peer_series);
	__type(value, struct counts);
} tcp_counts SEC(".maps");

/* Round-trip times, by cgroup, type and role. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 1024); /* or less, by the number of CPUs */
	__type(key, struct series);
	__type(value, struct histogram);
} tcp_rtts SEC(".maps");

/* This side of a connection, or of a segment that belongs to none. */
struct side {
	struct flow flow;
	__u32 netns;
	__u64 cookie;
	__u64 cgroup;
	const struct owner *owner;
	__u8 role;
	__u8 attribution;
	__u8 state;
	__u32 interface; /* index; 0: not known */
	__u64 net;       /* address of its namespace */
};

/* What this program keeps of a connection. */
struct sample {
	__u64 time; /* µs of TCP's clock when the round-trip time was sampled; 0: never */
};

DEFINE_PARTS(tcp, sample)

static __always_inline struct counts *find_counts(struct peer_series *key)
{
	static const struct counts none;

	return FIND_SERIES(&tcp_counts, key, &none, {.series = {.cgroup = OVERFLOW_CGROUP, .event = key->series.event}});
}

/* Whether a tracepoint's argument is not NULL. Verifiers differ in which arguments they take as possibly NULL. */
static __always_inline bool is_given(const void *p)
{
	if (!p)
		return false;
	barrier_var(p);
	return is_kernel_pointer(p);
}

/* The owner of a full socket, open or closed. The current process is another one in most cases. */
static __always_inline struct socket_state *read_ownership(struct side *side, struct sock *sk)
{
	struct socket_state *s = find_state(sk);

	if (!s)
		s = find_closed(sk);
	side->owner = s ? owner_of(sk, s) : find_owner(sk);
	if (side->owner && side->owner->pid) {
		side->cgroup = side->owner->cgroup;
		side->attribution = ATTRIBUTION_SOCKET;
	} else {
		side->cgroup = socket_cgroup(sk);
		side->attribution = ATTRIBUTION_CGROUP;
	}
	return s;
}

static __always_inline __u8 role_of(const struct socket_state *s, const struct sock *sk)
{
	if (s && s->role)
		return s->role;
	if (sk->__sk_common.skc_state == TCP_SYN_SENT)
		return ROLE_CLIENT;
	/* An accepted socket still has the backlog of its listener. */
	return sk->sk_max_ack_backlog ? ROLE_SERVER : ROLE_CLIENT;
}

/* What sockets of all kinds have. */
static __always_inline void read_place(struct side *side, const struct sock_common *sk)
{
	const struct net *net = sk->skc_net.net;

	side->netns = net->ns.inum;
	side->interface = sk->skc_bound_dev_if;
	if (side->interface)
		side->net = address_of(net);
	side->cookie = sk->skc_cookie.counter;
}

static __always_inline void read_side(struct side *side, struct sock *sk, struct tcp_sock *tp)
{
	const struct socket_state *s = read_ownership(side, sk);

	side->state = sk->__sk_common.skc_state;
	side->role = role_of(s, sk);
	read_place(side, &sk->__sk_common);
	read_flow(&side->flow, sk, tp);
}

/* A socket of any kind: a full one, that of a request, or one in TIME_WAIT. */
static __always_inline void read_small_socket(struct side *side, const struct sock_common *sk)
{
	side->state = sk->skc_state;
	read_place(side, sk);
	read_common_flow(&side->flow, sk, false);
}

/* Both ends of a segment that was received. The sender of a SYN is the client. */
static __always_inline void read_segment(struct side *side, const struct sk_buff *skb)
{
	const unsigned char *ip = skb->head + skb->network_header;
	struct transport_header h = {};
	struct net_device *dev;
	__be32 ipv4[2] = {};

	bpf_probe_read_kernel(&h, sizeof(h), skb->head + skb->transport_header);
	side->flow.local_port = bpf_ntohs(h.destination);
	side->flow.remote_port = bpf_ntohs(h.source);
	if (skb->protocol == bpf_htons(ETH_P_IPV6)) {
		bpf_probe_read_kernel(&side->flow.remote, sizeof(side->flow.remote), ip + offsetof(struct ipv6_header, source));
		bpf_probe_read_kernel(&side->flow.local, sizeof(side->flow.local),
				      ip + offsetof(struct ipv6_header, destination));
	} else {
		bpf_probe_read_kernel(ipv4, sizeof(ipv4), ip + offsetof(struct ipv4_header, source));
		map_ipv4(&side->flow.remote, ipv4[0]);
		map_ipv4(&side->flow.local, ipv4[1]);
	}
	if ((h.tcp[9] & (TCP_SYN | TCP_ACK)) == TCP_SYN)
		side->role = ROLE_SERVER;
	dev = skb->dev;
	if (is_kernel_pointer(dev)) {
		side->netns = dev->nd_net.net->ns.inum;
		side->net = address_of(dev->nd_net.net);
		side->interface = dev->ifindex;
	}
}

/* Counts and reports what happened on one side. */
static __always_inline void report(__u8 event, const struct side *side, __u8 retransmit, __u32 segments, __u32 reason)
{
	struct peer_series key = {
		.series =
			{
				.cgroup = side->cgroup,
				.reason = reason,
				.event = event,
				.retransmit = retransmit,
				.role = side->role,
				.type = type_of(&side->flow),
			},
	};
	const struct owner *owner = side->owner;
	struct counts *counts;
	struct event *e;

	if (is_excluded_owner(owner, side->cgroup) || is_excluded_flow(&side->flow))
		return;
	set_server(&key.server, &side->flow, side->role);
	counts = find_counts(&key);
	if (counts)
		__sync_fetch_and_add(&counts->n, segments);

	if (!event_enabled(event) || !take_from_limit_of(event_kind(event, retransmit + reason)))
		return;
	e = reserve_record(event, sizeof(*e), bpf_ktime_get_ns(), false);
	if (!e)
		return;
	put_owner(&e->owner, owner);
	e->owner.cgroup = side->cgroup;
	e->flow = side->flow;
	e->netns = side->netns;
	e->cookie = side->cookie;
	e->reason = reason;
	e->segments = event == EVENT_RETRANSMIT ? segments : 0;
	e->retransmit = retransmit;
	e->role = side->role;
	e->attribution = side->attribution;
	e->state = side->state;
	e->pad = 0;
	__builtin_memset(e->interface, 0, sizeof(e->interface));
	if (has_link_local(&side->flow))
		find_interface(e->interface, side->net, side->interface);
	submit_record(e);
}

/* enum tcp_ca_state, and the value of icsk_pending while the timer of a tail-loss probe fires. */
enum { CA_RECOVERY = 3, CA_LOSS = 4, PENDING_LOSS_PROBE = 5 };

static __always_inline __u8 retransmit_type(const struct sock *sk, const struct tcp_sock *tp)
{
	const struct inet_connection_sock *icsk = &tp->inet_conn;

	switch (sk->__sk_common.skc_state) {
	case TCP_SYN_SENT:
		return RETRANSMIT_SYN;
	case TCP_SYN_RECV:
		return RETRANSMIT_SYN_ACK;
	}
	switch (BPF_CORE_READ_BITFIELD_PROBED(icsk, icsk_ca_state)) {
	case CA_LOSS:
		return RETRANSMIT_TIMEOUT;
	case CA_RECOVERY:
		return RETRANSMIT_FAST;
	}
	/* No loss is known: it is the probe for one. */
	return icsk->icsk_pending == PENDING_LOSS_PROBE ? RETRANSMIT_TAIL_LOSS_PROBE : RETRANSMIT_UNKNOWN;
}

static __always_inline void report_retransmit(struct sock *sk, const struct sk_buff *skb)
{
	const struct tcp_skb_cb *cb = (const struct tcp_skb_cb *)skb->cb;
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct side side = {};
	__u16 segments = 0;

	if (!tp)
		return;
	sk = sock_of(tp);
	read_side(&side, sk, tp);
	bpf_core_read(&segments, sizeof(segments), &cb->tcp_gso_segs);
	report(EVENT_RETRANSMIT, &side, retransmit_type(sk, tp), segments, NO_REASON);
}

/* The mark of a change of a connection's state: see missed.h. */
static __always_inline __u32 hash_of(const struct sock_common *sk)
{
	return bpf_ntohs(sk->skc_dport) + sk->skc_num;
}

#define RETRANSMIT_FAILED (retransmit_arguments > 2 && (int)ctx[2])

SEC("tp_btf/tcp_retransmit_skb")
int tcp_retransmit(__u64 *ctx)
{
	struct sock *sk = (struct sock *)ctx[0];

	if (RETRANSMIT_FAILED)
		return 0;
	mark_handled(sk, hash_of(&sk->__sk_common), EVENT_RETRANSMIT);
	report_retransmit(sk, (struct sk_buff *)ctx[1]);
	return 0;
}

SEC("tp_btf/tcp_retransmit_skb")
int tcp_retransmit_missed(__u64 *ctx)
{
	struct sock *sk = (struct sock *)ctx[0];

	if (!RETRANSMIT_FAILED && take_missed(sk, hash_of(&sk->__sk_common), EVENT_RETRANSMIT))
		report_retransmit(sk, (struct sk_buff *)ctx[1]);
	return 0;
}

/* The connection is still a request, owned by the listener. It keeps the cookie that the request gets here. */
static __always_inline void report_retransmit_synack(struct sock *listener, struct request_sock *req)
{
	struct side side = {.role = ROLE_SERVER};

	if (!by_address)
		bpf_get_socket_cookie(req);
	read_ownership(&side, listener);
	read_small_socket(&side, &req->__req_common);
	report(EVENT_RETRANSMIT, &side, RETRANSMIT_SYN_ACK, 1, NO_REASON);
}

SEC("tp_btf/tcp_retransmit_synack")
int BPF_PROG(tcp_retransmit_synack, struct sock *sk, struct request_sock *req)
{
	mark_handled(req, hash_of(&req->__req_common), EVENT_RETRANSMIT);
	report_retransmit_synack(sk, req);
	return 0;
}

SEC("tp_btf/tcp_retransmit_synack")
int BPF_PROG(tcp_retransmit_synack_missed, struct sock *sk, struct request_sock *req)
{
	if (take_missed(req, hash_of(&req->__req_common), EVENT_RETRANSMIT))
		report_retransmit_synack(sk, req);
	return 0;
}

/* sk is NULL if there is no socket; skb, the segment that is answered, if there is none. */
static __always_inline void report_reset_sent(struct sock *sk, const struct sk_buff *skb, __u32 reason)
{
	struct socket_state *s;
	struct side side = {};
	struct tcp_sock *tp;

	if (is_given(sk)) {
		tp = bpf_skc_to_tcp_sock(sk);
		if (tp) {
			read_side(&side, sock_of(tp), tp);
		} else {
			read_small_socket(&side, &sk->__sk_common);
			s = find_closed_slot(side.cookie);
			if (s && s->owner.pid) {
				side.owner = &s->owner;
				side.cgroup = s->owner.cgroup;
				side.attribution = ATTRIBUTION_SOCKET;
				side.role = s->role;
			}
		}
	}
	if (!side.state || side.state == TCP_LISTEN) {
		if (!is_given(skb))
			return;
		read_segment(&side, skb);
	}
	report(EVENT_RESET_SENT, &side, RETRANSMIT_UNKNOWN, 1, reason);
}

#define RESET_REASON (reset_arguments > 2 ? (__u32)ctx[2] : NO_REASON)

static __always_inline __u32 hash_of_reset(const struct sock *sk, const struct sk_buff *skb)
{
	if (is_given(sk))
		return hash_of(&sk->__sk_common);
	return is_given(skb) ? skb->len : 0;
}

SEC("tp_btf/tcp_send_reset")
int tcp_reset_sent(__u64 *ctx)
{
	const struct sk_buff *skb = (struct sk_buff *)ctx[1];
	struct sock *sk = (struct sock *)ctx[0];

	mark_handled(is_given(sk) ? (void *)sk : (void *)skb, hash_of_reset(sk, skb), EVENT_RESET_SENT);
	report_reset_sent(sk, skb, RESET_REASON);
	return 0;
}

SEC("tp_btf/tcp_send_reset")
int tcp_reset_sent_missed(__u64 *ctx)
{
	const struct sk_buff *skb = (struct sk_buff *)ctx[1];
	struct sock *sk = (struct sock *)ctx[0];

	if (take_missed(is_given(sk) ? (void *)sk : (void *)skb, hash_of_reset(sk, skb), EVENT_RESET_SENT))
		report_reset_sent(sk, skb, RESET_REASON);
	return 0;
}

static __always_inline void report_reset_received(struct sock *sk)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct side side = {};

	if (!tp)
		return;
	read_side(&side, sock_of(tp), tp);
	report(EVENT_RESET_RECEIVED, &side, RETRANSMIT_UNKNOWN, 1, NO_REASON);
}

SEC("tp_btf/tcp_receive_reset")
int BPF_PROG(tcp_reset_received, struct sock *sk)
{
	mark_handled(sk, hash_of(&sk->__sk_common), EVENT_RESET_RECEIVED);
	report_reset_received(sk);
	return 0;
}

SEC("tp_btf/tcp_receive_reset")
int BPF_PROG(tcp_reset_received_missed, struct sock *sk)
{
	if (take_missed(sk, hash_of(&sk->__sk_common), EVENT_RESET_RECEIVED))
		report_reset_received(sk);
	return 0;
}

/* Puts the smoothed round-trip time of a connection into the histogram. */
static __always_inline void add_rtt(struct sock *sk, struct tcp_sock *tp)
{
	struct series key = {};
	struct side side = {};
	struct histogram *h;
	__u64 rtt = tp->srtt_us >> 3;

	if (!rtt)
		return;
	read_side(&side, sock_of(tp), tp);
	if (is_excluded_owner(side.owner, side.cgroup) || is_excluded_flow(&side.flow))
		return;
	key.cgroup = side.cgroup;
	key.type = type_of(&side.flow);
	key.role = side.role;
	h = FIND_SERIES(&tcp_rtts, &key, zero_histogram(), {.cgroup = OVERFLOW_CGROUP});
	if (h)
		add_to_histogram(h, rtt * 1000);
}

/* Called for every segment of an established connection, before TCP processes it. */
SEC("tp_btf/tcp_probe")
int BPF_PROG(tcp_segment, struct sock *sk)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct sample *last;
	__u64 now;

	if (!tp || !find_state(sk))
		return 0;
	last = tcp_part(sk);
	/* The time of the segment before. TCP has read it, so that it is cheaper than the clock. */
	now = tp->tcp_mstamp;
	if (!last || (last->time && now - last->time < rtt_interval))
		return 0;
	last->time = now;
	add_rtt(sk, tp);
	return 0;
}

/* Any state but LISTEN → CLOSE. A connection that was never established has no round-trip time. */
static __always_inline void on_close(struct sock *sk)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);

	if (tp)
		add_rtt(sk, tp);
	tcp_forget(sk);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(tcp_close, struct sock *sk, int old, int next)
{
	if (next != TCP_CLOSE || old == TCP_LISTEN)
		return 0;
	mark_handled(sk, hash_of(&sk->__sk_common), TCP_CLOSE);
	on_close(sk);
	return 0;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(tcp_close_missed, struct sock *sk, int old, int next)
{
	if (next == TCP_CLOSE && old != TCP_LISTEN && take_missed(sk, hash_of(&sk->__sk_common), TCP_CLOSE))
		on_close(sk);
	return 0;
}

EXPORT_STRUCT(event);
EXPORT_ENUM(event_id);
EXPORT_ENUM(retransmit);
char LICENSE[] SEC("license") = "Dual BSD/GPL";
