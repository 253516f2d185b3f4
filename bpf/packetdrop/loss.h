/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Whether somebody lost something with a buffer that the kernel frees by kfree_skb(): by the reason, by what the packet carried and
 * for whom it was, and, where the kernel gives no reason, by the function that frees it.
 */
#pragma once

#include "addressee.h"
#include "segments.h"

/* The number of arguments of btf_trace_kfree_skb: 2; from 5.17 on 3, with the reason; from 6.11 on 4, with rx_sk. */
const volatile __u32 kfree_skb_arguments;

/* What a reason says. User space knows them by their names, because each kernel has its own numbers. */
enum judgement {
	JUDGEMENT_LOSS,         /* whatever the packet was */
	JUDGEMENT_NO_LOSS,      /* it was delivered, or nobody needs it */
	JUDGEMENT_NONE,         /* the kernel gives no reason */
	JUDGEMENT_GROUP,        /* a loss unless it was for a group, which nobody here has joined */
	JUDGEMENT_HOST,         /* a loss if it was for this host */
	JUDGEMENT_NO_SOCKET,    /* a loss unless nobody waits for such packets */
	JUDGEMENT_SEGMENT,      /* TCP has rejected it: see segments.h */
	JUDGEMENT_OF_NO_USE,    /* TCP has no use for it any more, or not yet */
	JUDGEMENT_OVER_WINDOW,  /* the same for want of room */
	JUDGEMENT_QUEUE,        /* a loss unless it is of the link, and the link is not up */
	JUDGEMENT_OUT_OF_ORDER, /* a loss; where the buffer had its device it had its place in a tree */
};

/* Reasons of the kernel's core, by their numbers. Those of subsystems, and further ones, are losses. */
const volatile __u8 judgements[256];

/* What a function does with the buffers that it frees without a reason. */
enum code_kind {
	CODE_NONE,
	CODE_CONSUMES,         /* they were delivered, or are parts of others that were reported themselves */
	CODE_ASKS,             /* it finds out who wants a packet */
	CODE_RECEIVES_SEGMENT, /* it finds the socket of a TCP segment */
	CODE_HANDLES_SEGMENT,  /* it does what a TCP segment asks for */
	CODE_FREES_LISTS,      /* of packets, or of the parts of one, which have no device */
};

/* A function or a part of one in the kernel's text. */
struct code {
	__u64 start; /* address; those that are not used have the highest there is, so that all are in order */
	__u32 size;
	__u32 kind;
};

#define CODES 64

const volatile struct code codes[CODES];

static __always_inline enum code_kind kind_of_code(__u64 location)
{
	__u32 index = 0, next;

	/* The last one that begins before or at the location, if any does. */
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

/* The first look: returns false if no packet can have been lost. */
static __always_inline bool may_be_loss(struct verdict *v, __u64 location, __u32 reason)
{
	v->judgement = JUDGEMENT_NONE;
	v->code = CODE_NONE;
	if (kfree_skb_arguments > 2) {
		barrier_var(reason);
		v->judgement = reason >> 8 ? JUDGEMENT_LOSS : judgements[reason & 255];
	}
	if (v->judgement == JUDGEMENT_NONE)
		v->code = kind_of_code(location);
	return v->judgement != JUDGEMENT_NO_LOSS && v->code != CODE_CONSUMES;
}

/* For a buffer that was freed without a reason. */
static __always_inline bool is_loss_by_code(const struct sk_buff *skb, const struct headers *h, const struct sock *rx_sk,
					    enum code_kind code)
{
	bool reasons = kfree_skb_arguments > 2;
	enum segment_fate fate = SEGMENT_HANDLED;

	/* Where reasons are known, losses have one: what is left is what nobody wants. */
	if ((reasons || code == CODE_ASKS) && addressee_of(skb) == ADDRESSEE_GROUP)
		return false;
	if (code == CODE_ASKS)
		return addressee_of(skb) == ADDRESSEE_HERE && !is_multicast(&h->packet) && !is_echo_reply(h);
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

/* The second look, at the packet. It is a function of its own, so that the verifier does not follow the caller once per path. */
static __noinline bool is_loss(const struct verdict *v, const struct sk_buff *skb, const struct headers *h,
			       const struct sock *rx_sk)
{
	switch (v->judgement) {
	case JUDGEMENT_NONE:
		return is_loss_by_code(skb, h, rx_sk, v->code);
	case JUDGEMENT_GROUP:
		return addressee_of(skb) != ADDRESSEE_GROUP && !is_multicast(&h->packet);
	case JUDGEMENT_HOST:
		return addressee_of(skb) == ADDRESSEE_HERE;
	case JUDGEMENT_NO_SOCKET:
		/* A raw socket may have its copy of an answer. A reset needs no answer, and ends what has ended. */
		return addressee_of(skb) != ADDRESSEE_GROUP && !is_echo_reply(h) &&
		       !(h->packet.protocol == IPPROTO_TCP && h->packet.tcp_flags & TCP_RST);
	case JUDGEMENT_SEGMENT:
		return is_lost_segment(skb, &h->packet, rx_sk, SEGMENT_REJECTED);
	case JUDGEMENT_OF_NO_USE:
		return is_lost_segment(skb, &h->packet, rx_sk, SEGMENT_HANDLED);
	case JUDGEMENT_OVER_WINDOW:
		return is_lost_segment(skb, &h->packet, rx_sk, SEGMENT_OVER_WINDOW);
	case JUDGEMENT_QUEUE:
		return !is_of_link(skb, h) || !has_no_queue(skb->dev);
	default:
		return true;
	}
}
