/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* The headers of packets as they are on the wire, and what programs keep of them. */
#pragma once

#include "flow.h"

struct packet {
	struct flow flow; /* local is the source, remote the destination */
	__u32 size;       /* bytes from the network header on */
	__u8 type;        /* 4, 6; 0: neither */
	__u8 protocol;    /* of IP */
	__u8 tcp_flags;
	__u8 pad;
};

struct ipv4_header {
	__u8 version_ihl;
	__u8 tos;
	__be16 total_length;
	__be16 id;
	__be16 fragment;
	__u8 ttl;
	__u8 protocol;
	__be16 checksum;
	__be32 source;
	__be32 destination;
};

struct ipv6_header {
	__u8 version_class[4];
	__be16 payload_length;
	__u8 next_header;
	__u8 hop_limit;
	struct address source;
	struct address destination;
};

struct transport_header {
	__be16 source;
	__be16 destination;
	__u8 tcp[10]; /* sequence numbers, the header's length in words in the upper half of [8], flags in [9] */
};

enum { TCP_FIN = 1 << 0, TCP_SYN = 1 << 1, TCP_RST = 1 << 2, TCP_ACK = 1 << 4 };
enum { IPV6_HOP_BY_HOP = 0, IPV6_ROUTING = 43, IPV6_FRAGMENT = 44, IPV6_AUTHENTICATION = 51, IPV6_DESTINATION = 60 };
