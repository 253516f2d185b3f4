//go:build ignore

// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
// DNS messages that sockets send to port 53 and receive from it. This side copies them, and user space pairs queries with answers.
// Messages on a server's own socket are left out, so that each look-up over the loopback interface is seen once.
//
// The hooks run for each packet of each socket. Another task or a softirq can interrupt them, so no state is kept per CPU. A packet that
// is not DNS costs two comparisons.
#include "../include/filter.h"
#include "../include/packet.h"
#include "../include/record.h"

enum { PORT = 53, UDP_HEADER = 8 };

/*
 * The bytes of a message that a record has room for. Most messages are small ones, and each cache line of the ring costs. A segment of
 * TCP that is longer than the largest has several records.
 */
enum { SMALL = 64, MEDIUM = 128, LARGE = 512, LARGEST = 2048, PIECES = 8 };

enum event_id {
	EVENT_QUERY,
	EVENT_ANSWER,
};

/* The part that all records have. */
struct part {
	__u64 cookie;
	__u32 sequence; /* of TCP: the number of the first byte */
	__u32 length;   /* bytes that were sent; the captured ones are the first of them */
	__u16 captured;
	__u8 transport;
	__u8 pad[5];
};

/* What a socket sends to port 53. It begins as an answer does, and the bytes of the message are behind it, too. */
struct query {
	struct record record;
	struct part part;
	struct owner owner;
	struct flow flow;
	__u32 netns;
	__u32 expected; /* of TCP: the number of the first byte that was not received yet */
	__u8 attribution;
	__u8 pad[3];
};

/* Received from port 53. */
struct answer {
	struct record record;
	struct part part;
};

_Static_assert(offsetof(struct query, part) == offsetof(struct answer, part), "a query begins as an answer does");

/* The number of records written. User space compares it with the number that it has read. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} dns_written SEC(".maps");

/* The place of a message in a packet. */
struct place {
	__u32 offset; /* of the message, from the network header */
	__u32 length;
	__u32 transport; /* offset of the transport header */
	__u32 ports;     /* as in the header: the source is in the lower half */
	__u8 protocol;
	bool ipv6;
};

/* Whether a packet is sent to port 53 or received from it. */
static __always_inline bool has_port_53(struct __sk_buff *skb, __u32 ports, bool sent)
{
	struct bpf_sock *sk;

	if (!sent)
		return (ports & 0xffff) == bpf_htons(PORT);
	if (ports >> 16 == bpf_htons(PORT))
		return true;
	/* The kernel may have translated the server's port (DNAT). A connected socket has the port that its process asked for. */
	sk = skb->sk;
	return sk && (*(volatile __u32 *)&sk->dst_port & 0xffff) == bpf_htons(PORT);
}

/* Finds the message in a packet of IPv4 or IPv6 without extension headers. Returns false if it is not DNS. */
static __always_inline bool find_message(struct __sk_buff *skb, struct place *p, bool sent)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct ipv4_header *ip = data;
	__u32 *ports;

	if (data + sizeof(*ip) + sizeof(*ports) > end)
		return false;
	if (ip->version_ihl == 0x45) {
		p->protocol = ip->protocol;
		p->transport = sizeof(*ip);
	} else if (ip->version_ihl >> 4 == 6) {
		if (data + sizeof(struct ipv6_header) + sizeof(*ports) > end)
			return false;
		p->protocol = ((struct ipv6_header *)data)->next_header;
		p->transport = sizeof(struct ipv6_header);
		p->ipv6 = true;
	} else if (ip->version_ihl >> 4 == 4) { /* with options */
		p->protocol = ip->protocol;
		p->transport = (ip->version_ihl & 15) * 4;
	} else {
		return false;
	}
	if (p->protocol != IPPROTO_UDP && p->protocol != IPPROTO_TCP)
		return false;
	ports = data + p->transport;
	if ((void *)(ports + 1) > end)
		return false;
	p->ports = *ports;
	return has_port_53(skb, p->ports, sent);
}

/* Finds the beginning and the length of the message. Returns false if the packet has no payload. */
static __always_inline bool measure_message(struct __sk_buff *skb, struct place *p, struct transport_header *h)
{
	__u32 header = UDP_HEADER;

	if (p->protocol == IPPROTO_TCP) {
		if (bpf_skb_load_bytes(skb, p->transport, h, sizeof(*h)))
			return false;
		header = (h->tcp[8] >> 4) * 4;
	}
	p->offset = p->transport + header;
	if (skb->len <= p->offset)
		return false;
	p->length = skb->len - p->offset;
	return true;
}

static __always_inline __u32 number_at(const __u8 *octets)
{
	return (__u32)octets[0] << 24 | (__u32)octets[1] << 16 | (__u32)octets[2] << 8 | octets[3];
}

/* The number of the first byte of the payload. */
static __always_inline __u32 sequence_of(const struct transport_header *h)
{
	/* A SYN, which may have a payload, takes a number. */
	return number_at(h->tcp) + (h->tcp[9] & TCP_SYN ? 1 : 0);
}

static __always_inline void count_written(void)
{
	__u32 zero = 0;
	__u64 *written = bpf_map_lookup_elem(&dns_written, &zero);

	if (written)
		__sync_fetch_and_add(written, 1);
}

/* Copies a part of the packet behind a record. `room` is a power of two, which older verifiers need to know the bounds by. */
static __always_inline bool copy_part(struct __sk_buff *skb, __u32 offset, void *to, __u32 bytes, __u32 room)
{
	bytes--;
	barrier_var(bytes);
	bytes &= room - 1;
	return !bpf_skb_load_bytes(skb, offset, to, bytes + 1);
}

/* Writes a record of `size` bytes, which begins as an answer does, and behind it the part of the packet that it has captured. */
static __always_inline void write_record(struct __sk_buff *skb, __u8 event, const struct answer *from, __u32 size, __u32 offset,
					 __u64 now, __u32 room)
{
	struct answer *a = reserve_record(event, size + room, now, false);

	if (!a)
		return;
	__builtin_memcpy(&a->part, &from->part, size - offsetof(struct answer, part));
	if (!copy_part(skb, offset, (void *)a + size, from->part.captured, room))
		a->part.captured = 0;
	count_written();
	submit_record(a);
}

/* Sets how many of the remaining bytes the next record has. Returns false if none are left. */
static __always_inline bool next_piece(struct part *part, __u32 left, int number)
{
	if (!left)
		return false;
	part->captured = left < LARGEST ? left : LARGEST;
	/* The last record counts all remaining bytes. */
	part->length = part->transport == IPPROTO_UDP || number == PIECES - 1 ? left : part->captured;
	return true;
}

/* Writes a message, in as many records as it needs. */
static __always_inline void write_message(struct __sk_buff *skb, __u8 event, struct answer *a, __u32 size, struct place *p)
{
	__u64 now = bpf_ktime_get_ns();

	for (int i = 0; i < PIECES && next_piece(&a->part, p->length, i); i++) {
		if (a->part.captured <= SMALL)
			write_record(skb, event, a, size, p->offset, now, SMALL);
		else if (a->part.captured <= MEDIUM)
			write_record(skb, event, a, size, p->offset, now, MEDIUM);
		else if (a->part.captured <= LARGE)
			write_record(skb, event, a, size, p->offset, now, LARGE);
		else
			write_record(skb, event, a, size, p->offset, now, LARGEST);
		p->offset += a->part.captured;
		p->length -= a->part.length;
		a->part.sequence += a->part.captured;
	}
}

/* Both ends, from the packet. A connected socket's server is read from the socket: the kernel may translate it in the packet. */
static __always_inline void read_ends(struct __sk_buff *skb, const struct place *p, struct flow *f)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct bpf_sock *sk = skb->sk;
	__u32 port;

	if (p->ipv6 && data + sizeof(struct ipv6_header) <= end) {
		struct ipv6_header *ip = data;

		f->local = ip->source;
		f->remote = ip->destination;
	} else if (data + sizeof(struct ipv4_header) <= end) {
		struct ipv4_header *ip = data;

		map_ipv4(&f->local, ip->source);
		map_ipv4(&f->remote, ip->destination);
	}
	f->local_port = bpf_ntohs(p->ports & 0xffff);
	f->remote_port = bpf_ntohs(p->ports >> 16);
	if (!sk)
		return;
	port = *(volatile __u32 *)&sk->dst_port & 0xffff;
	if (!port)
		return;
	f->remote_port = bpf_ntohs(port);
	if (sk->family == AF_INET) {
		map_ipv4(&f->remote, sk->dst_ip4);
	} else {
		__u32 *remote = (__u32 *)f->remote.octets;

		remote[0] = sk->dst_ip6[0];
		remote[1] = sk->dst_ip6[1];
		remote[2] = sk->dst_ip6[2];
		remote[3] = sk->dst_ip6[3];
	}
}

/*
 * Reads the sender. A datagram is sent in a system call of its process. If netfilter or encryption has delayed it, the current process
 * is another one, which in most cases is in another cgroup. TCP may send later: the current process is the sender only if it works on
 * the socket.
 */
static __always_inline void read_sender(struct query *q, struct __sk_buff *skb, struct sock *sk)
{
	__u64 cgroup = bpf_skb_cgroup_id(skb);

	if (q->part.transport == IPPROTO_UDP || BPF_CORE_READ(sk, sk_lock.owned))
		read_owner(&q->owner, current_task());
	if (q->owner.pid && q->owner.cgroup == cgroup) {
		q->attribution = ATTRIBUTION_CURRENT;
		return;
	}
	__builtin_memset(&q->owner, 0, sizeof(q->owner));
	q->owner.cgroup = cgroup;
	q->attribution = ATTRIBUTION_CGROUP;
}

static __noinline int on_query(struct __sk_buff *skb, struct place *where)
{
	struct transport_header h = {};
	struct query q = {};
	struct place p;
	struct sock *sk;

	if (!where)
		return 1;
	p = *where;
	if (!skb->sk || !measure_message(skb, &p, &h))
		return 1;
	sk = (struct sock *)address_of(skb->sk);
	q.part.transport = p.protocol;
	read_sender(&q, skb, sk);
	read_ends(skb, &p, &q.flow);
	if (is_excluded_process(&q.owner) || is_excluded_flow(&q.flow))
		return 1;
	q.part.cookie = bpf_get_socket_cookie(skb);
	q.netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	if (p.protocol == IPPROTO_TCP) {
		q.part.sequence = sequence_of(&h);
		q.expected = number_at(h.tcp + 4);
	}
	write_message(skb, EVENT_QUERY, (struct answer *)&q, sizeof(q), &p);
	return 1;
}

static __noinline int on_answer(struct __sk_buff *skb, struct place *where)
{
	struct transport_header h = {};
	struct answer a = {};
	struct place p;

	if (!where)
		return 1;
	p = *where;
	if (!measure_message(skb, &p, &h))
		return 1;
	a.part.cookie = bpf_get_socket_cookie(skb);
	a.part.transport = p.protocol;
	if (p.protocol == IPPROTO_TCP)
		a.part.sequence = sequence_of(&h);
	write_message(skb, EVENT_ANSWER, &a, sizeof(a), &p);
	return 1;
}

SEC("cgroup_skb/egress")
int dns_sent(struct __sk_buff *skb)
{
	struct place p = {};

	if (find_message(skb, &p, true))
		on_query(skb, &p);
	return 1;
}

SEC("cgroup_skb/ingress")
int dns_received(struct __sk_buff *skb)
{
	struct place p = {};

	if (find_message(skb, &p, false))
		on_answer(skb, &p);
	return 1;
}

EXPORT_STRUCT(query);
EXPORT_STRUCT(answer);
EXPORT_ENUM(event_id);
char LICENSE[] SEC("license") = "Dual BSD/GPL";
