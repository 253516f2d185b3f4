//go:build ignore

// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
// Dropped packets: the calls of kfree_skb() that lose a packet.
#include "../include/filter.h"
#include "../include/interface.h"
#include "../include/listening.h"
#include "../include/missed.h"
#include "../include/series.h"
#include "../include/shares.h"
#include "../include/sockets.h"
#include "datagrams.h"
#include "loss.h"

enum event_id {
	EVENT_DROP,
};

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
	char interface[INTERFACE_NAME_SIZE];
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

static __always_inline void count_drop(struct series *key, __u64 packets, __u64 bytes)
{
	struct counts *counts = find_counts(key);

	if (!counts)
		return;
	if (packets)
		__sync_fetch_and_add(&counts->packets, packets);
	__sync_fetch_and_add(&counts->bytes, bytes);
}

/* Returns whether the fragment's datagram was reported, and adds its bytes to that report. If not, marks the datagram as reported. */
static __always_inline bool test_and_set_reported(const struct headers *h, struct series *key)
{
	__u64 now = bpf_ktime_get_ns();
	struct lost_datagram *d = find_datagram(h, now);

	if (!d) {
		keep_datagram(h, now, key->cgroup, key->reason);
		return false;
	}
	key->cgroup = d->cgroup;
	key->reason = d->reason;
	count_drop(key, 0, h->packet.size);
	return true;
}

/*
 * Remembers that the last segment of a handshake was dropped because the accept queue was full. The kernel counts that as an
 * overflow, too, which must not be reported again.
 */
static __always_inline void note_overflow(const struct sk_buff *skb, const struct packet *p, const struct sock *rx_sk,
					  const struct verdict *verdict)
{
	__u64 listener = address_of(rx_sk);
	struct listening *l;

	if (p->protocol != IPPROTO_TCP || p->tcp_flags & (TCP_SYN | TCP_RST))
		return;
	if (!listener && verdict->code == CODE_RECEIVES_SEGMENT)
		listener = listener_of(skb, p);
	l = listener ? bpf_map_lookup_elem(&ebpf_listening, &listener) : NULL;
	if (l && is_full_listener((const struct sock *)listener))
		__sync_fetch_and_add(&l->reported, 1);
}

/* rx_sk is NULL if the kernel does not say which socket the packet was for. */
static __always_inline void report_drop(struct sk_buff *skb, __u64 location, __u32 reason, struct sock *rx_sk,
					const struct verdict *verdict)
{
	struct headers headers = {};
	struct packet *packet = &headers.packet;
	struct series key = {.reason = reason};
	struct event *e;
	struct net_device *dev;
	const struct owner *owner = NULL;
	struct sock *sk = NULL;
	__u8 attribution = ATTRIBUTION_NONE;

	if (!read_headers(&headers, skb) || !is_loss(verdict, skb, &headers, rx_sk))
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
	if (is_excluded_owner(owner, key.cgroup) || is_excluded_flow(&packet->flow))
		return;

	key.protocol = packet->protocol;
	key.type = packet->type;
	if (headers.fragment && test_and_set_reported(&headers, &key))
		return;
	count_drop(&key, 1, packet->size);
	note_overflow(skb, packet, rx_sk, verdict);

	if (!event_enabled(EVENT_DROP))
		return;
	/* Where there are no reasons, by the place. */
	if (!take_from_limit_of(kfree_skb_arguments > 2 ? reason : (__u32)location >> 4))
		return;
	e = reserve_record(EVENT_DROP, sizeof(*e), bpf_ktime_get_ns(), false);
	if (!e)
		return;
	put_owner(&e->owner, owner);
	e->owner.cgroup = key.cgroup;
	e->packet = *packet;
	e->reason = reason;
	e->location = location;
	e->attribution = attribution;
	__builtin_memset(e->pad, 0, sizeof(e->pad));
	/* Program socket has the kernel number sockets. That is not possible here for every kind of pointer. */
	e->cookie = sk ? sk->__sk_common.skc_cookie.counter : 0;
	e->netns = 0;
	dev = skb->dev;
	if (is_kernel_pointer(dev) && verdict->judgement != JUDGEMENT_OUT_OF_ORDER) {
		/* All of it: to find its end takes longer. */
		bpf_probe_read_kernel(e->interface, sizeof(e->interface), dev->name);
		e->netns = dev->nd_net.net->ns.inum;
	} else if (sk) {
		e->netns = sk->__sk_common.skc_net.net->ns.inum;
		/* On the way out there may be no interface yet. */
		read_interface(e->interface, &packet->flow, sk->__sk_common.skc_net.net, sk->__sk_common.skc_bound_dev_if);
	} else {
		__builtin_memset(e->interface, 0, sizeof(e->interface));
	}
	submit_record(e);
}

/* skb, location[, reason[, rx_sk]]: from the raw context, because kernels differ in the number. */
#define ARGUMENT(n) (kfree_skb_arguments > (n) ? ctx[n] : 0)

SEC("tp_btf/kfree_skb")
int packet_drop(__u64 *ctx)
{
	struct sk_buff *skb = (struct sk_buff *)ctx[0];
	struct verdict verdict;

	if (!judge(&verdict, ctx[1], ARGUMENT(2)))
		return 0;
	mark_handled(skb, ctx[1] >> 4, 0);
	report_drop(skb, ctx[1], ARGUMENT(2), (struct sock *)ARGUMENT(3), &verdict);
	return 0;
}

SEC("tp_btf/kfree_skb")
int packet_drop_missed(__u64 *ctx)
{
	struct sk_buff *skb = (struct sk_buff *)ctx[0];
	struct verdict verdict;

	if (judge(&verdict, ctx[1], ARGUMENT(2)) && take_missed(skb, ctx[1] >> 4, 0))
		report_drop(skb, ctx[1], ARGUMENT(2), (struct sock *)ARGUMENT(3), &verdict);
	return 0;
}

EXPORT_STRUCT(event);
EXPORT_ENUM(event_id);
EXPORT_ENUM(judgement);
EXPORT_ENUM(code_kind);
char LICENSE[] SEC("license") = "Dual BSD/GPL";
