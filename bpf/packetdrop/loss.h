/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Whether a buffer that the kernel frees with kfree_skb() is a loss: by its reason, its contents and its addressee, and, where the
 * kernel gives no reason, by the function that frees it.
 */
#pragma once

#include "addressee.h"
#include "segments.h"

/* The number of arguments of btf_trace_kfree_skb: 2; from 5.17 on 3, with the reason; from 6.11 on 4, with rx_sk. */
const volatile __u32 kfree_skb_arguments;

/* What a drop reason means. User space maps reasons by name, because their numbers differ between kernels. */
enum judgement {
	JUDGEMENT_LOSS,         /* whatever the packet was */
	JUDGEMENT_NO_LOSS,      /* it was delivered, or has no receiver */
	JUDGEMENT_NONE,         /* the kernel gives no reason */
	JUDGEMENT_GROUP,        /* a loss unless it was for a group that nobody here has joined, or for an address to come */
	JUDGEMENT_HOST,         /* a loss if it was for this host */
	JUDGEMENT_NO_SOCKET,    /* a loss unless nobody waits for such packets */
	JUDGEMENT_SEGMENT,      /* TCP has rejected it: see segments.h */
	JUDGEMENT_OF_NO_USE,    /* TCP does not need it, or cannot use it yet */
	JUDGEMENT_OVER_WINDOW,  /* the same, because the receive window is full */
	JUDGEMENT_QUEUE,        /* a loss unless it is link control traffic and the link is down */
	JUDGEMENT_OUT_OF_ORDER, /* a loss; in the out-of-order tree, the device pointer is a tree node */
	JUDGEMENT_LINK,         /* a loss unless it is link control traffic */
	JUDGEMENT_FILTER,       /* a filter of a socket does not want it: a loss unless the socket only gets a copy */
};

/* Core drop reasons by number. Subsystem reasons, and numbers beyond the table, are losses. */
const volatile __u8 judgements[256];

/* What a function does when it frees a buffer without a reason. */
enum code_kind {
	CODE_NONE,
	CODE_CONSUMES,         /* it frees delivered buffers, or parts of buffers that are reported themselves */
	CODE_ASKS,             /* it looks for the receivers of a packet */
	CODE_RECEIVES_SEGMENT, /* it finds the socket of a TCP segment */
	CODE_HANDLES_SEGMENT,  /* it processes a TCP segment */
	CODE_FREES_LISTS,      /* it frees lists of packets, or the parts of one packet, which have no device */
	CODE_COPIES,           /* it gives a raw socket a copy of a packet, whoever else gets the packet */
	CODE_HANDS_OVER,       /* it has no way for a packet, for example because the link or its other end is down */
};

/* A function or a part of one in the kernel's text. */
struct code {
	__u64 start; /* address; unused entries have the highest address, to keep the order */
	__u32 size;
	__u32 kind;
};

#define CODES 64

const volatile struct code codes[CODES];

static __always_inline enum code_kind kind_of_code(__u64 location)
{
	__u32 index = 0, next;

	/* The last entry that begins at or before the location. */
#pragma unroll
	for (__u32 step = CODES / 2; step; step /= 2) {
		next = index + step;
		/* The compiler would drop the mask below, which the verifier needs. */
		barrier_var(next);
		if (codes[next & (CODES - 1)].start <= location)
			index = next;
	}
	index &= CODES - 1;
	return location - codes[index].start < codes[index].size ? codes[index].kind : CODE_NONE;
}

struct verdict {
	enum judgement judgement;
	enum code_kind code;
};

/* Fills in the verdict by the reason and the function alone. Returns false if this cannot be a loss. */
static __always_inline bool judge(struct verdict *v, __u64 location, __u32 reason)
{
	v->judgement = JUDGEMENT_NONE;
	v->code = CODE_NONE;
	if (kfree_skb_arguments > 2) {
		barrier_var(reason);
		v->judgement = reason >> 8 ? JUDGEMENT_LOSS : judgements[reason & 255];
	}
	if (v->judgement == JUDGEMENT_NONE || v->judgement == JUDGEMENT_FILTER)
		v->code = kind_of_code(location);
	return v->judgement != JUDGEMENT_NO_LOSS && v->code != CODE_CONSUMES;
}

/* For a buffer that was freed without a reason. */
static __always_inline bool is_loss_by_code(const struct sk_buff *skb, const struct headers *h, const struct sock *rx_sk,
					    enum code_kind code)
{
	bool reasons = kfree_skb_arguments > 2;
	enum segment_fate fate = SEGMENT_HANDLED;

	/* On kernels with reasons, losses have one: no reason means that nobody wants the packet. */
	if ((reasons || code == CODE_ASKS) && addressee_of(skb) == ADDRESSEE_GROUP)
		return false;
	if (code == CODE_ASKS)
		return addressee_of(skb) == ADDRESSEE_HERE && !is_multicast(&h->packet) && !is_echo_reply(h) &&
		       !is_lease(&h->packet);
	if (code == CODE_COPIES) /* most often the socket's filter does not want it, which no reason says here */
		return false;
	if (code == CODE_HANDS_OVER)
		return !is_of_link(skb, h);
	if (code == CODE_FREES_LISTS) /* of a packet's parts, or of a queue */
		return is_kernel_pointer(skb->dev) && !(is_of_link(skb, h) && has_no_queue(skb->dev));
	if (h->packet.protocol != IPPROTO_TCP || h->fragment)
		return true;
	if (code == CODE_RECEIVES_SEGMENT)
		fate = reasons ? SEGMENT_RECEIVED : SEGMENT_UNKNOWN;
	else if (code != CODE_HANDLES_SEGMENT && !is_kernel_pointer(rx_sk))
		return true;
	return is_lost_segment(skb, &h->packet, rx_sk, fate);
}

/* The full check, with the packet's contents. __noinline: the verifier would follow it once per path of its caller. */
static __noinline bool is_loss(const struct verdict *v, const struct sk_buff *skb, const struct headers *h,
			       const struct sock *rx_sk)
{
	switch (v->judgement) {
	case JUDGEMENT_NONE:
		return is_loss_by_code(skb, h, rx_sk, v->code);
	case JUDGEMENT_GROUP:
		return addressee_of(skb) != ADDRESSEE_GROUP && !is_multicast(&h->packet) && !is_lease(&h->packet);
	case JUDGEMENT_HOST:
		return addressee_of(skb) == ADDRESSEE_HERE;
	case JUDGEMENT_NO_SOCKET:
		/* A raw socket may have taken a copy of an answer. A reset without a socket needs no answer. */
		return addressee_of(skb) != ADDRESSEE_GROUP && !is_echo_reply(h) &&
		       !(h->packet.protocol == IPPROTO_TCP && h->packet.tcp_flags & TCP_RST);
	case JUDGEMENT_SEGMENT:
		return is_lost_segment(skb, &h->packet, rx_sk, SEGMENT_REJECTED);
	case JUDGEMENT_OF_NO_USE:
		return is_lost_segment(skb, &h->packet, rx_sk, SEGMENT_USELESS);
	case JUDGEMENT_OVER_WINDOW:
		return is_lost_segment(skb, &h->packet, rx_sk, SEGMENT_OVER_WINDOW);
	case JUDGEMENT_LINK:
		return !is_of_link(skb, h);
	case JUDGEMENT_FILTER:
		return v->code != CODE_COPIES;
	case JUDGEMENT_QUEUE:
		return !is_of_link(skb, h) || !has_no_queue(skb->dev);
	default:
		return true;
	}
}
