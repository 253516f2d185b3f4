/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Whether a TCP segment that has arrived at its socket, and that TCP throws away, had something that is lost with it. What only
 * acknowledges is handled before it is freed; so is what repeats what has come already.
 */
#pragma once

#include "../include/sockets.h"
#include "headers.h"

/* What TCP throws away, as far as the kernel or the place tells. */
enum segment_fate {
	SEGMENT_REJECTED,    /* for a reason of TCP's own */
	SEGMENT_HANDLED,     /* for no reason, when all has been done with it */
	SEGMENT_RECEIVED,    /* the same in the function that finds the socket: maybe the last segment of a handshake */
	SEGMENT_UNKNOWN,     /* the same where the kernel knows no reasons: maybe there was no socket */
	SEGMENT_OVER_WINDOW, /* there was no room for what is new in it */
};

struct segment {
	__u32 sequence;
	__u32 data; /* bytes */
	__u8 flags;
};

/* Returns false if the header cannot be read. */
static __always_inline bool read_segment(struct segment *s, const struct sk_buff *skb)
{
	__s64 offset = (skb->head - skb->data) + skb->transport_header; /* of the header in what len counts */
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

/* Whether the queue of connections that nobody has accepted is full. */
static __always_inline bool is_full_listener(const struct sock *listener)
{
	return BPF_CORE_READ(listener, sk_ack_backlog) > BPF_CORE_READ(listener, sk_max_ack_backlog);
}

/* The listener that a segment may have been for, by its port, where the kernel does not say; 0 if there is none. */
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
		port.family = AF_INET6; /* a listener may take both */
		l = bpf_map_lookup_elem(&ebpf_listeners, &port);
	}
	return l ? l->socket : 0;
}

/* Whether all of a segment is before what its socket, which is none that listens, waits for next. */
static __always_inline bool has_come_before(const struct segment *s, const struct sock *sk, __u8 state)
{
	__u32 end = s->sequence + s->data + !!(s->flags & TCP_SYN) + !!(s->flags & TCP_FIN);
	__u32 next;

	if (state == TCP_SYN_SENT || state == TCP_CLOSE)
		return false;
	if (state == TCP_TIME_WAIT)
		next = BPF_CORE_READ(sk, __sk_common.skc_tw_rcv_nxt);
	else
		next = BPF_CORE_READ((struct tcp_sock *)sk, rcv_nxt);
	return (__s32)(end - next) <= 0;
}

/* For a segment that a listener has got, or that was for one of its requests. */
static __always_inline bool is_lost_at_listener(const struct segment *s, const struct sock *listener, enum segment_fate fate)
{
	if (s->flags & TCP_RST)
		return false;
	if (fate == SEGMENT_REJECTED || fate == SEGMENT_OVER_WINDOW)
		return true;
	/* The last segment of a handshake, for which there is no room. Without data it may also be one that the listener defers. */
	if (is_full_listener(listener))
		return !(s->flags & TCP_SYN);
	/* A SYN was sent again, and is answered again. */
	return s->data && !(s->flags & TCP_SYN);
}

/* rx_sk is NULL where the kernel does not say which socket it was for. */
static __always_inline bool is_lost_segment(const struct sk_buff *skb, const struct packet *p, const struct sock *rx_sk,
					    enum segment_fate fate)
{
	/* By its address, because verifiers do not agree on whether it can be NULL. */
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
		/* A single byte asks whether there is room. It is sent again when there is. */
		return s.data != 1 || s.flags & (TCP_SYN | TCP_FIN);
	if (s.data)
		return true;
	if (s.flags & TCP_SYN) {
		/* The answer to a SYN that this socket has got before. */
		if (fate == SEGMENT_REJECTED)
			return !(s.flags & TCP_ACK) || state == TCP_SYN_SENT;
		/* A SYN that is sent again, and is answered again, where the kernel does not say that it was for a listener. */
		return fate != SEGMENT_RECEIVED || state;
	}
	return fate == SEGMENT_REJECTED;
}
