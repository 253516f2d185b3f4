//go:build ignore

// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
// Packets that network interfaces receive. All are counted, some are sampled, and all pass unchanged.
#include "../include/packet.h"
#include "../include/filter.h"
#include "../include/series.h"

enum event_id {
	EVENT_SAMPLE,
};

/* Traits of packets; those of TCP are the flags in its header. */
enum trait {
	TRAIT_FIN = TCP_FIN,
	TRAIT_SYN = TCP_SYN,
	TRAIT_RST = TCP_RST,
	TRAIT_FRAGMENT = 1 << 3,
	TRAIT_LOW_TTL = 1 << 4,
};

#define LOW_TTL 10
#define MAX_VLANS 2
#define MAX_EXTENSIONS 6

/* A packet is sampled if 32 random bits are below this: 2^32 divided by the configured ratio. */
const volatile __u64 sample_below;

/* What is read of a packet. */
struct frame {
	struct packet packet;   /* the flow only if it is needed */
	__u16 vlans[MAX_VLANS]; /* ids in the tags, the outer one first */
	__u8 vlan_count;
	__u8 ttl; /* or hop limit */
	__u8 traits;
	__u8 pad;
};

struct event {
	struct record record;
	struct frame frame;
	__u32 pad;
	char interface[16];
};

struct series {
	__u32 interface; /* its index; 0: the overflow series */
	__u8 type;
	__u8 protocol; /* 0 if network.transport has no name for it */
	__u8 traits;
	__u8 pad;
};

struct counts {
	__u64 packets;
	__u64 bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct series);
	__type(value, struct counts);
} packet_counts SEC(".maps");

struct interface {
	char name[16];
};

/* The names of the interfaces with the program, by their indexes. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct interface);
} packet_interfaces SEC(".maps");

struct ethernet_header {
	__u8 destination[6];
	__u8 source[6];
	__be16 protocol;
};

struct vlan_header {
	__be16 control; /* the lower 12 bits are the id */
	__be16 protocol;
};

/* How far a packet is read, and its length by its IP header. */
struct cursor {
	void *at;
	void *end;
	__u32 network; /* bytes in front of the network header */
	__u32 length;  /* bytes from there on; 0: not known */
};

/* The next bytes of the packet; NULL if it is shorter. */
static __always_inline void *take(struct cursor *c, __u32 size)
{
	void *header = c->at;

	if (header + size > c->end)
		return NULL;
	c->at = header + size;
	return header;
}

static __always_inline void read_ports(struct packet *p, const struct transport_header *h)
{
	p->flow.local_port = bpf_ntohs(h->source);
	p->flow.remote_port = bpf_ntohs(h->destination);
}

/* One protocol after the other: the compiler would merge the checks of both lengths, which older verifiers do not understand. */
static __always_inline void read_transport(struct frame *f, struct cursor *c)
{
	struct packet *p = &f->packet;
	const struct transport_header *h;

	if (p->protocol == IPPROTO_TCP) {
		h = take(c, sizeof(*h));
		if (!h)
			return;
		p->tcp_flags = h->tcp[9];
		f->traits |= p->tcp_flags & (TCP_FIN | TCP_SYN | TCP_RST);
		read_ports(p, h);
		return;
	}
	if (p->protocol == IPPROTO_UDP) {
		h = take(c, offsetof(struct transport_header, tcp));
		if (h)
			read_ports(p, h);
	}
}

static __always_inline void read_ttl(struct frame *f, __u8 ttl)
{
	f->ttl = ttl;
	if (ttl < LOW_TTL)
		f->traits |= TRAIT_LOW_TTL;
}

static __always_inline void read_ipv4(struct frame *f, struct cursor *c, bool with_flow)
{
	const struct ipv4_header *h = take(c, sizeof(*h));
	struct packet *p = &f->packet;

	if (!h || h->version_ihl >> 4 != 4)
		return;
	p->type = 4;
	p->protocol = h->protocol;
	c->length = bpf_ntohs(h->total_length);
	read_ttl(f, h->ttl);
	if (with_flow) {
		map_ipv4(&p->flow.local, h->source);
		map_ipv4(&p->flow.remote, h->destination);
	}
	/* Without the reserved bit and "don't fragment". */
	if (h->fragment & bpf_htons(0x3fff))
		f->traits |= TRAIT_FRAGMENT;
	if (h->fragment & bpf_htons(0x1fff))
		return; /* the transport's header is in the first fragment */
	c->at = (void *)h + (h->version_ihl & 15) * 4;
	read_transport(f, c);
}

/* The length of an IPv6 extension header in bytes; 0 for other headers. */
static __always_inline __u32 extension_length(__u8 type, const __u8 *header)
{
	switch (type) {
	case IPV6_HOP_BY_HOP:
	case IPV6_ROUTING:
	case IPV6_DESTINATION:
		return (header[1] + 1) * 8;
	case IPV6_AUTHENTICATION:
		return (header[1] + 2) * 4;
	case IPV6_FRAGMENT:
		return 8;
	default:
		return 0;
	}
}

static __always_inline void read_ipv6(struct frame *f, struct cursor *c, bool with_flow)
{
	const struct ipv6_header *h = take(c, sizeof(*h));
	struct packet *p = &f->packet;

	if (!h || h->version_class[0] >> 4 != 6)
		return;
	p->type = 6;
	p->protocol = h->next_header;
	if (h->payload_length)
		c->length = sizeof(*h) + bpf_ntohs(h->payload_length);
	read_ttl(f, h->hop_limit);
	if (with_flow) {
		p->flow.local = h->source;
		p->flow.remote = h->destination;
	}
#pragma unroll
	for (int i = 0; i < MAX_EXTENSIONS; i++) {
		__u8 type = p->protocol;
		const __u8 *header;
		__u32 length;

		if (type == IPPROTO_TCP || type == IPPROTO_UDP)
			break;
		header = c->at;
		if ((void *)header + 8 > c->end)
			return;
		length = extension_length(type, header);
		if (!length)
			return;
		p->protocol = header[0];
		c->at += length;
		if (type != IPV6_FRAGMENT)
			continue;
		/* The offset, and whether more fragments follow. With neither it is a whole packet. */
		if (header[2] || header[3] & 0xf9)
			f->traits |= TRAIT_FRAGMENT;
		if (header[2] || header[3] & 0xf8)
			return;
	}
	read_transport(f, c);
}

static __always_inline bool is_vlan(__be16 protocol)
{
	return protocol == bpf_htons(ETH_P_8021Q) || protocol == bpf_htons(ETH_P_8021AD);
}

static __always_inline void read_frame(struct frame *f, struct cursor *c, bool with_flow)
{
	const struct ethernet_header *h = take(c, sizeof(*h));
	__be16 protocol;

	if (!h)
		return;
	c->network = sizeof(*h);
	protocol = h->protocol;
#pragma unroll
	for (int i = 0; i < MAX_VLANS; i++) {
		const struct vlan_header *v;

		if (!is_vlan(protocol))
			break;
		v = take(c, sizeof(*v));
		if (!v)
			return;
		f->vlans[i] = bpf_ntohs(v->control) & 0xfff;
		f->vlan_count = i + 1;
		c->network += sizeof(*v);
		protocol = v->protocol;
	}
	if (protocol == bpf_htons(ETH_P_IP))
		read_ipv4(f, c, with_flow);
	else if (protocol == bpf_htons(ETH_P_IPV6))
		read_ipv6(f, c, with_flow);
}

/* The protocols with series of their own. Packets of all possible protocols would fill the map. */
static __always_inline bool is_named(__u8 protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6 ||
	       protocol == IPPROTO_SCTP;
}

static __always_inline void count(const struct frame *f, __u32 interface)
{
	static const struct counts none;
	struct series key = {
		.interface = interface,
		.type = f->packet.type,
		.protocol = is_named(f->packet.protocol) ? f->packet.protocol : 0,
		.traits = f->traits,
	};
	struct counts *c = FIND_SERIES(&packet_counts, &key, &none, {});

	if (c) {
		__sync_fetch_and_add(&c->packets, 1);
		__sync_fetch_and_add(&c->bytes, f->packet.size);
	}
}

static __always_inline void sample(const struct frame *f, __u32 interface)
{
	struct interface *i;
	struct event *e;

	if (!take_from_limit())
		return;
	i = bpf_map_lookup_elem(&packet_interfaces, &interface);
	e = reserve_record(EVENT_SAMPLE, sizeof(*e), bpf_ktime_get_ns(), false);
	if (!e)
		return;
	e->frame = *f;
	e->pad = 0;
	if (i)
		__builtin_memcpy(e->interface, i->name, sizeof(e->interface));
	else
		__builtin_memset(e->interface, 0, sizeof(e->interface));
	submit_record(e);
}

static __always_inline void on_receive(struct xdp_md *ctx, bool may_be_in_pieces)
{
	bool sampled = event_enabled(EVENT_SAMPLE) && bpf_get_prandom_u32() < sample_below;
	__u32 interface = ctx->ingress_ifindex;
	struct frame f = {};
	struct cursor c = {};
	__u64 size;

	/* Keeps the frame in memory: the compiler would duplicate its fields on all paths that lead here. */
	asm volatile("" : : "r"(&f) : "memory");
	c.at = (void *)(long)ctx->data;
	c.end = (void *)(long)ctx->data_end;
	size = c.end - c.at;
	/* Keeps the subtraction in 64 bits: verifiers reject one of pointers in 32 bits. */
	barrier_var(size);
	read_frame(&f, &c, sampled || exclude_loopback || exclude_cidrs || include_loopback || include_cidrs);
	if (f.packet.type ? is_excluded_flow(&f.packet.flow) : is_excluded_without_flow())
		return;
	/* The helper costs a quarter of all this, and few packets have more pieces. */
	if (may_be_in_pieces && (!c.length || c.network + c.length > size))
		size = bpf_xdp_get_buff_len(ctx);
	f.packet.size = size - c.network;
	count(&f, interface);
	if (sampled)
		sample(&f, interface);
}

SEC("xdp")
int packet(struct xdp_md *ctx)
{
	on_receive(ctx, false);
	return XDP_PASS;
}

/* For packets in several pieces, such as jumbo frames, from Linux 5.18 on. The headers are in the first piece. */
SEC("xdp.frags")
int packet_in_pieces(struct xdp_md *ctx)
{
	on_receive(ctx, true);
	return XDP_PASS;
}

EXPORT_STRUCT(event);
EXPORT_ENUM(event_id);
EXPORT_ENUM(trait);
char LICENSE[] SEC("license") = "Dual BSD/GPL";
