/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Reads the headers of a packet from a buffer of the kernel. */
#pragma once

#include "packet.h"

/* Header fields that the checks need and that no record has. */
struct headers {
	struct packet packet;
	__u32 fragment_id;
	__u16 fragment_offset; /* as it is in the header: the bits below 13 of IPv4, above 2 of IPv6 */
	bool fragment;
	__u8 icmp_type;
	__u32 sequence; /* of TCP */
	__u32 acknowledged;
};

enum { ICMP_ECHO_REPLY = 0, ICMPV6_ECHO_REPLY = 129 };
/* Multicast listener discovery, routers and neighbours; and reports of the second version. */
enum { ICMPV6_FIRST_OF_LINK = 130, ICMPV6_LAST_OF_LINK = 137, ICMPV6_MLD2_REPORT = 143 };

static __always_inline void keep_transport(struct headers *h, const struct transport_header *t)
{
	struct packet *p = &h->packet;

	if (p->protocol == IPPROTO_ICMP || p->protocol == IPPROTO_ICMPV6) {
		h->icmp_type = *(const __u8 *)t;
		return;
	}
	p->flow.local_port = bpf_ntohs(t->source);
	p->flow.remote_port = bpf_ntohs(t->destination);
	if (p->protocol == IPPROTO_TCP) {
		p->tcp_flags = t->tcp[9];
		h->sequence = bpf_ntohl(*(const __be32 *)t->tcp);
		h->acknowledged = bpf_ntohl(*(const __be32 *)(t->tcp + 4));
	}
}

/* Whether the protocol has ports or flags. */
static __always_inline bool has_transport(const struct packet *p)
{
	return p->protocol == IPPROTO_TCP || p->protocol == IPPROTO_UDP || p->protocol == IPPROTO_ICMP ||
	       p->protocol == IPPROTO_ICMPV6;
}

/* Reads ports and flags, if the transport header is in the linear data. */
static __always_inline void read_transport(struct headers *h, const struct sk_buff *skb, __u32 offset)
{
	struct transport_header t = {};

	if (!has_transport(&h->packet))
		return;
	if (offset + (h->packet.protocol == IPPROTO_TCP ? sizeof(t) : 4) > skb->tail)
		return;
	bpf_probe_read_kernel(&t, sizeof(t), skb->head + offset);
	keep_transport(h, &t);
}

static __always_inline bool read_ipv4(struct headers *to, const struct sk_buff *skb)
{
	__u32 offset = skb->network_header;
	struct packet *p = &to->packet;
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
	if (h.ip.fragment & bpf_htons(0x3fff)) { /* more fragments, or an offset */
		to->fragment = true;
		to->fragment_id = h.ip.id;
		to->fragment_offset = bpf_ntohs(h.ip.fragment) & 0x1fff;
		if (to->fragment_offset)
			return true;
	}
	if (both && has_transport(p) && (h.ip.version_ihl & 15) * 4 == sizeof(h.ip))
		keep_transport(to, &h.transport);
	else
		read_transport(to, skb, offset + (h.ip.version_ihl & 15) * 4);
	return true;
}

static __always_inline bool read_ipv6(struct headers *to, const struct sk_buff *skb)
{
	__u32 offset = skb->network_header;
	struct packet *p = &to->packet;
	struct {
		struct ipv6_header ip;
		struct transport_header transport;
	} h = {};
	bool both = offset + sizeof(h) <= skb->tail;
	struct {
		__u8 next;
		__u8 units; /* in units of 8 bytes, without the first 8; not in a fragment header */
		__be16 fragment;
		__u32 id;
	} extension; /* each has 8 bytes at least */

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
	if (both && has_transport(p)) {
		keep_transport(to, &h.transport);
		return true;
	}
	for (int i = 0; i < 4; i++) {
		bool fragment = p->protocol == IPV6_FRAGMENT;

		if (p->protocol != IPV6_HOP_BY_HOP && p->protocol != IPV6_ROUTING && p->protocol != IPV6_DESTINATION && !fragment)
			break;
		if (offset + sizeof(extension) > skb->tail ||
		    bpf_probe_read_kernel(&extension, sizeof(extension), skb->head + offset))
			return true;
		p->protocol = extension.next;
		offset += fragment ? 8 : (extension.units + 1) * 8;
		if (fragment && extension.fragment & bpf_htons(0xfff9)) { /* an offset, or more fragments */
			to->fragment = true;
			to->fragment_id = extension.id;
			to->fragment_offset = bpf_ntohs(extension.fragment) & 0xfff8;
			if (to->fragment_offset)
				return true;
		}
	}
	read_transport(to, skb, offset);
	return true;
}

/*
 * Whether a buffer without an IP header is a network frame, such as ARP or LLDP. A sent frame may have its socket. Buffers of other
 * socket families have no protocol or no device.
 */
static __always_inline bool is_frame(const struct sk_buff *skb)
{
	struct sock *sk = skb->sk;
	__u16 family;

	if (!skb->protocol || !is_kernel_pointer(skb->dev))
		return false;
	if (!sk)
		return true;
	family = sk->__sk_common.skc_family;
	return family != AF_UNIX && family != AF_NETLINK;
}

/*
 * Returns false if the buffer is not a packet: of a unix or netlink socket, or without headers yet. A frame may be too short for
 * an IP header, or have it outside of the linear data: then it has no addresses.
 */
static __always_inline bool read_headers(struct headers *h, const struct sk_buff *skb)
{
	__be16 protocol = skb->protocol;
	__u32 data = skb->data - skb->head;

	h->packet.size = skb->len + data - skb->network_header;
	if (protocol == bpf_htons(ETH_P_IP) && read_ipv4(h, skb))
		return true;
	if (protocol == bpf_htons(ETH_P_IPV6) && read_ipv6(h, skb))
		return true;
	h->packet.size = skb->len;
	return is_frame(skb);
}
