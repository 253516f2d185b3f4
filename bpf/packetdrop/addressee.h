/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* The addressee of a packet. Dropping a packet that has no addressee here loses nothing. */
#pragma once

#include "../include/headers.h"

enum addressee {
	ADDRESSEE_HERE,  /* this host, or a host that it routes to */
	ADDRESSEE_GROUP, /* a multicast group, or broadcast */
	ADDRESSEE_OTHER, /* another host: seen in promiscuous mode */
};

struct mac {
	__u8 octets[6];
};

/* The addressee of a received frame, by its link-layer destination. */
static __always_inline enum addressee frame_addressee(const struct sk_buff *skb)
{
	struct net_device *dev = skb->dev;
	struct mac to = {}, own = {};

	if (skb->mac_header == 0xffff || !is_kernel_pointer(dev) || dev->addr_len != sizeof(own))
		return ADDRESSEE_OTHER;
	bpf_probe_read_kernel(&to, sizeof(to), skb->head + skb->mac_header);
	if (to.octets[0] & 1)
		return ADDRESSEE_GROUP;
	bpf_probe_read_kernel(&own, sizeof(own), BPF_CORE_READ(dev, dev_addr));
	for (__u32 i = 0; i < sizeof(own); i++)
		if (to.octets[i] != own.octets[i])
			return ADDRESSEE_OTHER;
	/* The kernel marks frames of unknown VLANs as another host's. */
	return ADDRESSEE_HERE;
}

static __always_inline enum addressee addressee_of(const struct sk_buff *skb)
{
	switch (BPF_CORE_READ_BITFIELD(skb, pkt_type)) {
	case PACKET_BROADCAST:
	case PACKET_MULTICAST:
	case PACKET_LOOPBACK: /* the host's own copy of a multicast packet that it sends */
		return ADDRESSEE_GROUP;
	case PACKET_OTHERHOST:
		return frame_addressee(skb);
	}
	return ADDRESSEE_HERE;
}

/* Whether the IP destination is multicast or broadcast. Subnet broadcast addresses are not known here. */
static __always_inline bool is_multicast(const struct packet *p)
{
	const __u8 *to = p->flow.remote.octets;

	if (p->type == 4)
		return to[12] >> 4 == 14;
	return p->type == 6 && to[0] == 0xff;
}

/*
 * Whether a packet is link control traffic: address resolution, router and neighbour discovery, group membership, spanning tree
 * and other bridge protocols.
 */
static __always_inline bool is_of_link(const struct sk_buff *skb, const struct headers *h)
{
	struct mac to = {};

	if (h->packet.type == 4)
		return h->packet.protocol == IPPROTO_IGMP;
	if (h->packet.type == 6)
		return h->packet.protocol == IPPROTO_ICMPV6 &&
		       ((h->icmp_type >= ICMPV6_FIRST_OF_LINK && h->icmp_type <= ICMPV6_LAST_OF_LINK) ||
			h->icmp_type == ICMPV6_MLD2_REPORT);
	if (skb->protocol == bpf_htons(ETH_P_ARP))
		return true;
	if (skb->mac_header == 0xffff)
		return false;
	/* 01:80:c2:00:00:00 to :0f, which bridges do not forward. */
	bpf_probe_read_kernel(&to, sizeof(to), skb->head + skb->mac_header);
	return to.octets[0] == 0x01 && to.octets[1] == 0x80 && to.octets[2] == 0xc2 && !to.octets[3] && !to.octets[4] &&
	       to.octets[5] < 0x10;
}

/*
 * Whether a packet is the answer of a DHCP server to a client that does not have its address yet. The client reads it with a packet
 * socket.
 */
static __always_inline bool is_lease(const struct packet *p)
{
	return p->type == 4 && p->protocol == IPPROTO_UDP && p->flow.local_port == 67 && p->flow.remote_port == 68;
}

/* Whether an interface has no queue: it is down, or has no carrier. */
static __always_inline bool has_no_queue(struct net_device *dev)
{
	char id[5] = {};

	if (!is_kernel_pointer(dev))
		return false;
	bpf_probe_read_kernel(id, sizeof(id), BPF_CORE_READ(dev, _tx, qdisc, ops, id));
	return id[0] == 'n' && id[1] == 'o' && id[2] == 'o' && id[3] == 'p' && !id[4];
}

static __always_inline bool is_echo_reply(const struct headers *h)
{
	if (h->packet.type == 4)
		return h->packet.protocol == IPPROTO_ICMP && h->icmp_type == ICMP_ECHO_REPLY && !h->fragment_offset;
	return h->packet.type == 6 && h->packet.protocol == IPPROTO_ICMPV6 && h->icmp_type == ICMPV6_ECHO_REPLY;
}
