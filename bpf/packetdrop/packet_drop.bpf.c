//go:build ignore

// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
// Dropped packets: the calls of kfree_skb() that lose a packet.
#include "../include/filter.h"
#include "../include/missed.h"
#include "../include/packet.h"
#include "../include/series.h"
#include "../include/sockets.h"

enum event_id {
	EVENT_DROP,
};

/* The number of arguments of btf_trace_kfree_skb: 2; from 5.17 on 3, with the reason; from 6.11 on 4, with rx_sk. */
const volatile __u32 kfree_skb_arguments;

/* This kernel's numbers of reasons that are no drop; ~0 if it has no such reason. */
const volatile __u32 reason_not_dropped = ~0U;
const volatile __u32 reason_consumed = ~0U;
const volatile __u32 reason_queue_purge = ~0U;
const volatile __u32 reason_not_specified = ~0U;

/* A function or a part of one in the kernel's text; size 0: none. */
struct code {
	__u64 start; /* address */
	__u64 size;
};

/*
 * Where older kernels free delivered packets with kfree_skb() and no reason. In the places of consumed_if_closing this is so
 * only for a segment that closes a connection.
 */
const volatile struct code consumed[24];
const volatile struct code consumed_if_closing[8];

struct event {
	struct record record;
	struct owner owner;
	struct packet packet;
	__u32 reason;
	__u64 location; /* address in the kernel's text */
	__u64 cookie;
	__u32 netns;
	__u8 attribution;
	__u8 pad[3];
	char interface[16];
};

struct series {
	__u64 cgroup;
	__u32 reason;
	__u8 protocol;
	__u8 type;
	__u16 pad;
};

struct counts {
	__u64 packets;
	__u64 bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct series);
	__type(value, struct counts);
} packet_drop_counts SEC(".maps");

static __always_inline void keep_transport(struct packet *p, const struct transport_header *h)
{
	p->flow.local_port = bpf_ntohs(h->source);
	p->flow.remote_port = bpf_ntohs(h->destination);
	if (p->protocol == IPPROTO_TCP)
		p->tcp_flags = h->tcp[9];
}

static __always_inline bool has_ports(const struct packet *p)
{
	return p->protocol == IPPROTO_TCP || p->protocol == IPPROTO_UDP;
}

/* Reads ports and flags, if the transport header is in the linear data. */
static __always_inline void read_transport(struct packet *p, const struct sk_buff *skb, __u32 offset)
{
	struct transport_header h = {};

	if (!has_ports(p))
		return;
	if (offset + (p->protocol == IPPROTO_TCP ? sizeof(h) : 4) > skb->tail)
		return;
	bpf_probe_read_kernel(&h, sizeof(h), skb->head + offset);
	keep_transport(p, &h);
}

static __always_inline bool read_ipv4(struct packet *p, const struct sk_buff *skb)
{
	__u32 offset = skb->network_header;
	struct {
		struct ipv4_header ip;
		struct transport_header transport;
	} h = {};
	/* One read for both headers if they are adjacent: a read costs as much as all the rest. */
	bool both = offset + sizeof(h) <= skb->tail;

	if (offset + sizeof(h.ip) > skb->tail)
		return false;
	if (bpf_probe_read_kernel(&h, both ? sizeof(h) : sizeof(h.ip), skb->head + offset))
		return false;
	if (h.ip.version_ihl >> 4 != 4)
		return false;
	p->type = 4;
	p->protocol = h.ip.protocol;
	map_ipv4(&p->flow.local, h.ip.source);
	map_ipv4(&p->flow.remote, h.ip.destination);
	if (h.ip.fragment & bpf_htons(0x1fff))
		return true;
	if (both && has_ports(p) && (h.ip.version_ihl & 15) * 4 == sizeof(h.ip))
		keep_transport(p, &h.transport);
	else
		read_transport(p, skb, offset + (h.ip.version_ihl & 15) * 4);
	return true;
}

static __always_inline bool read_ipv6(struct packet *p, const struct sk_buff *skb)
{
	__u32 offset = skb->network_header;
	struct {
		struct ipv6_header ip;
		struct transport_header transport;
	} h = {};
	bool both = offset + sizeof(h) <= skb->tail;
	__u8 extension[4];

	if (offset + sizeof(h.ip) > skb->tail)
		return false;
	if (bpf_probe_read_kernel(&h, both ? sizeof(h) : sizeof(h.ip), skb->head + offset))
		return false;
	if (h.ip.version_class[0] >> 4 != 6)
		return false;
	p->type = 6;
	p->protocol = h.ip.next_header;
	p->flow.local = h.ip.source;
	p->flow.remote = h.ip.destination;
	offset += sizeof(h.ip);
	if (both && has_ports(p)) {
		keep_transport(p, &h.transport);
		return true;
	}
	for (int i = 0; i < 4; i++) {
		bool fragment = p->protocol == IPV6_FRAGMENT;

		if (p->protocol != IPV6_HOP_BY_HOP && p->protocol != IPV6_ROUTING && p->protocol != IPV6_DESTINATION && !fragment)
			break;
		if (offset + sizeof(extension) > skb->tail ||
		    bpf_probe_read_kernel(extension, sizeof(extension), skb->head + offset))
			return true;
		p->protocol = extension[0];
		offset += fragment ? 8 : (extension[1] + 1) * 8;
		if (fragment && (extension[2] || extension[3] & 0xf8))
			return true;
	}
	read_transport(p, skb, offset);
	return true;
}

/* Returns false for a buffer that is no packet: that of a unix or netlink socket, or one that has no headers yet. */
static __always_inline bool read_packet(struct packet *p, const struct sk_buff *skb)
{
	__be16 protocol = skb->protocol;
	__u32 data = skb->data - skb->head;

	p->size = skb->len + data - skb->network_header;
	if (protocol == bpf_htons(ETH_P_IP))
		return read_ipv4(p, skb);
	if (protocol == bpf_htons(ETH_P_IPV6))
		return read_ipv6(p, skb);
	/* Other packets belong to a device and to no socket: ARP, LLDP and the like. */
	p->size = skb->len;
	return protocol && is_kernel_pointer(skb->dev) && !skb->sk;
}

/* Whether a socket is a full one. That of a buffer can be a request, or a socket in TIME_WAIT. */
static __always_inline bool is_full_socket(const struct sock *sk)
{
	__u8 state = sk->__sk_common.skc_state;

	return state != TCP_TIME_WAIT && state != TCP_NEW_SYN_RECV;
}

static __always_inline struct counts *find_counts(struct series *key)
{
	static const struct counts none;

	return FIND_SERIES(&packet_drop_counts, key, &none, {.cgroup = OVERFLOW_CGROUP});
}

#define IS_WITHIN(codes, location) is_within(codes, sizeof(codes) / sizeof(codes[0]), location)

static __always_inline bool is_within(const volatile struct code *codes, __u32 length, __u64 location)
{
	for (__u32 i = 0; i < length && codes[i].size; i++)
		if (location - codes[i].start < codes[i].size)
			return true;
	return false;
}

/*
 * Whether a TCP segment without data has a FIN or RST, or is for a connection in TIME_WAIT. Once it has arrived, it has nothing
 * that could be lost. The last segment of a handshake is neither.
 */
static __always_inline bool is_closing(const struct sk_buff *skb, const struct sock *rx_sk)
{
	__s64 offset = (skb->head - skb->data) + skb->transport_header; /* of the header in what len counts */
	struct transport_header h;

	if (bpf_probe_read_kernel(&h, sizeof(h), skb->head + skb->transport_header))
		return false;
	if (h.tcp[9] & TCP_SYN || skb->len - offset > (h.tcp[8] >> 4) * 4)
		return false;
	if (h.tcp[9] & (TCP_FIN | TCP_RST))
		return true;
	/* By its address, because verifiers do not agree on whether it can be NULL. Of NULL this reads 0, which is no state. */
	return BPF_CORE_READ((struct sock *)address_of(rx_sk), __sk_common.skc_state) == TCP_TIME_WAIT;
}

/* Whether a freed buffer is a drop, by the reason or, if there is none, by the place. */
static __always_inline bool is_drop(const struct sk_buff *skb, __u64 location, __u32 reason, const struct sock *rx_sk)
{
	if (kfree_skb_arguments > 2) {
		if (reason == reason_not_dropped || reason == reason_consumed || reason == reason_queue_purge)
			return false;
		if (reason != reason_not_specified)
			return true;
	}
	return !IS_WITHIN(consumed, location) && !(IS_WITHIN(consumed_if_closing, location) && is_closing(skb, rx_sk));
}

/* rx_sk is NULL if the kernel does not say which socket the packet was for. */
static __always_inline void report_drop(struct sk_buff *skb, __u64 location, __u32 reason, struct sock *rx_sk)
{
	struct packet packet = {};
	struct series key = {.reason = reason};
	struct event *e;
	struct counts *counts;
	struct net_device *dev;
	const struct owner *owner = NULL;
	struct sock *sk = NULL;
	__u8 attribution = ATTRIBUTION_NONE;

	if (!read_packet(&packet, skb))
		return;

	/* Some verifiers assume that rx_sk is never NULL, and would remove a check for NULL. */
	if (is_kernel_pointer(rx_sk)) {
		sk = rx_sk;
		attribution = ATTRIBUTION_RECEIVING_SOCKET;
	} else {
		sk = skb->sk;
		attribution = ATTRIBUTION_SOCKET;
	}
	if (sk && is_full_socket(sk)) {
		key.cgroup = socket_cgroup(sk);
		owner = find_owner(sk);
		if (owner && owner->pid)
			key.cgroup = owner->cgroup;
		else
			attribution = ATTRIBUTION_CGROUP;
	} else {
		sk = NULL;
		attribution = ATTRIBUTION_NONE;
	}
	if (is_excluded_owner(owner) || is_excluded_flow(&packet.flow))
		return;

	key.protocol = packet.protocol;
	key.type = packet.type;
	counts = find_counts(&key);
	if (counts) {
		__sync_fetch_and_add(&counts->packets, 1);
		__sync_fetch_and_add(&counts->bytes, packet.size);
	}

	if (!event_enabled(EVENT_DROP))
		return;
	if (!take_from_limit())
		return;
	e = reserve_record(EVENT_DROP, sizeof(*e), bpf_ktime_get_ns(), false);
	if (!e)
		return;
	if (owner && owner->pid)
		e->owner = *owner;
	else
		__builtin_memset(&e->owner, 0, sizeof(e->owner));
	e->owner.cgroup = key.cgroup;
	e->packet = packet;
	e->reason = reason;
	e->location = location;
	e->attribution = attribution;
	__builtin_memset(e->pad, 0, sizeof(e->pad));
	/* Program socket has the kernel number sockets. That is not possible here for every kind of pointer. */
	e->cookie = sk ? sk->__sk_common.skc_cookie.counter : 0;
	e->netns = 0;
	dev = skb->dev;
	if (is_kernel_pointer(dev)) {
		/* All of it: to find its end takes longer. */
		bpf_probe_read_kernel(e->interface, sizeof(e->interface), dev->name);
		e->netns = dev->nd_net.net->ns.inum;
	} else {
		__builtin_memset(e->interface, 0, sizeof(e->interface));
		if (sk)
			e->netns = sk->__sk_common.skc_net.net->ns.inum;
	}
	submit_record(e);
}

/* skb, location[, reason[, rx_sk]]: from the raw context, because kernels differ in the number. */
#define ARGUMENT(n) (kfree_skb_arguments > (n) ? ctx[n] : 0)

SEC("tp_btf/kfree_skb")
int packet_drop(__u64 *ctx)
{
	struct sk_buff *skb = (struct sk_buff *)ctx[0];
	struct sock *rx_sk = (struct sock *)ARGUMENT(3);

	if (!is_drop(skb, ctx[1], ARGUMENT(2), rx_sk))
		return 0;
	mark_handled(skb, ctx[1] >> 4, 0);
	report_drop(skb, ctx[1], ARGUMENT(2), rx_sk);
	return 0;
}

SEC("tp_btf/kfree_skb")
int packet_drop_missed(__u64 *ctx)
{
	struct sk_buff *skb = (struct sk_buff *)ctx[0];
	struct sock *rx_sk = (struct sock *)ARGUMENT(3);

	if (is_drop(skb, ctx[1], ARGUMENT(2), rx_sk) && take_missed(skb, ctx[1] >> 4, 0))
		report_drop(skb, ctx[1], ARGUMENT(2), rx_sk);
	return 0;
}

EXPORT_STRUCT(event);
EXPORT_ENUM(event_id);
char LICENSE[] SEC("license") = "Dual BSD/GPL";
