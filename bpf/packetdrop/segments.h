/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Whether a loss occurs when TCP frees a received segment. A pure acknowledgement is processed before it is freed, and a repeated
 * segment has nothing new: neither is a loss.
 */
#pragma once

#include "../include/headers.h"
#include "../include/sockets.h"

/* Why TCP frees a segment, as far as the reason or the function tells. */
enum segment_fate {
	SEGMENT_REJECTED,    /* TCP gives a reason */
	SEGMENT_HANDLED,     /* no reason: TCP has processed it */
	SEGMENT_RECEIVED,    /* no reason, in the function that finds the socket: maybe the last segment of a handshake */
	SEGMENT_UNKNOWN,     /* no reason, on a kernel without reasons: maybe there was no socket */
	SEGMENT_USELESS,     /* TCP gives the reason that it has no use for it, whatever the room in the accept queue */
	SEGMENT_OVER_WINDOW, /* the receive window has no room for its new data */
};

struct segment {
	__u32 sequence;
	__u32 data; /* bytes */
	__u8 flags;
};

/* Returns false if the header cannot be read. */
static __always_inline bool read_segment(struct segment *s, const struct sk_buff *skb)
{
	__s64 offset = (skb->head - skb->data) + skb->transport_header; /* of the TCP header, from skb->data */
	struct transport_header t;
	__s64 data;

	if (bpf_probe_read_kernel(&t, sizeof(t), skb->head + skb->transport_header))
		return false;
	data = skb->len - offset - (t.tcp[8] >> 4) * 4;
	s->sequence = bpf_ntohl(*(__be32 *)t.tcp);
	s->data = data > 0 ? data : 0;
	s->flags = t.tcp[9];
	return true;
}

/* The listener on a segment's port, for kernels that do not name the socket; 0 if there is none. */
static __always_inline __u64 listener_of(const struct sk_buff *skb, const struct packet *p)
{
	struct net_device *dev = skb->dev;
	struct port port = {.number = p->flow.remote_port, .family = p->type == 4 ? AF_INET : AF_INET6};
	struct listener *l;

	if (!is_kernel_pointer(dev))
		return 0;
	port.netns = dev->nd_net.net->ns.inum;
	l = bpf_map_lookup_elem(&ebpf_listeners, &port);
	if (!l && port.family == AF_INET) {
		port.family = AF_INET6; /* an IPv6 listener may accept IPv4, too */
		l = bpf_map_lookup_elem(&ebpf_listeners, &port);
	}
	return l ? l->socket : 0;
}

/*
 * Whether a segment ends before the next byte that its socket expects. The socket is not a listener. One that has just been closed
 * still has that number, unless its connection was never established; data that is sent twice may come while it is being closed.
 */
static __always_inline bool has_come_before(const struct segment *s, const struct sock *sk, __u8 state)
{
	__u32 end = s->sequence + s->data + !!(s->flags & TCP_SYN) + !!(s->flags & TCP_FIN);
	__u32 next;

	if (state == TCP_SYN_SENT)
		return false;
	if (state == TCP_TIME_WAIT)
		next = BPF_CORE_READ(sk, __sk_common.skc_tw_rcv_nxt);
	else
		next = BPF_CORE_READ((struct tcp_sock *)sk, rcv_nxt);
	if (state == TCP_CLOSE && !next)
		return false;
	return (__s32)(end - next) <= 0;
}

/* For a segment of a listener, or of one of its connection requests. */
static __always_inline bool is_lost_at_listener(const struct segment *s, const struct sock *listener, enum segment_fate fate)
{
	if (s->flags & TCP_RST)
		return false;
	if (fate == SEGMENT_REJECTED || fate == SEGMENT_OVER_WINDOW)
		return true;
	/*
	 * The accept queue has no room for the last segment of a handshake. A segment without data may also be one that the listener
	 * defers (TCP_DEFER_ACCEPT).
	 */
	if (fate != SEGMENT_USELESS && is_full_listener(listener))
		return !(s->flags & TCP_SYN);
	/* A repeated SYN gets a repeated answer: no loss. */
	return s->data && !(s->flags & TCP_SYN);
}

/* rx_sk is NULL where the kernel does not name the socket. */
static __always_inline bool is_lost_segment(const struct sk_buff *skb, const struct packet *p, const struct sock *rx_sk,
					    enum segment_fate fate)
{
	/* As an address: some verifiers know that it can be NULL, others do not. */
	const struct sock *sk = (const struct sock *)address_of(rx_sk);
	__u8 state = sk ? BPF_CORE_READ(sk, __sk_common.skc_state) : 0;
	struct segment s = {};
	const struct sock *listener;

	if (!read_segment(&s, skb))
		return true;
	if (state == TCP_LISTEN)
		return is_lost_at_listener(&s, sk, fate);
	if (s.flags & TCP_RST)
		return s.data || fate == SEGMENT_REJECTED;
	if (!s.data && !(s.flags & (TCP_SYN | TCP_FIN))) {
		if (state || (fate != SEGMENT_RECEIVED && fate != SEGMENT_UNKNOWN))
			return false;
		listener = (const struct sock *)listener_of(skb, p);
		if (!listener)
			return fate == SEGMENT_UNKNOWN;
		return is_full_listener(listener);
	}
	if (state && has_come_before(&s, sk, state))
		return false;
	if (fate == SEGMENT_OVER_WINDOW)
		/* A segment of one byte is a window probe: the byte is sent again when there is room. */
		return s.data != 1 || s.flags & (TCP_SYN | TCP_FIN);
	if (s.data)
		return true;
	if (s.flags & TCP_SYN) {
		/* A SYN-ACK that the socket has received before. */
		if (fate == SEGMENT_REJECTED)
			return !(s.flags & TCP_ACK) || state == TCP_SYN_SENT;
		/* A repeated SYN to a listener that the kernel does not name: it gets a repeated answer. */
		return fate != SEGMENT_RECEIVED || state;
	}
	return fate == SEGMENT_REJECTED;
}
