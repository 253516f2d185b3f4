/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The network interface of link-local addresses. The same address on two interfaces is two hosts, so that a socket has the
 * interface besides. Its name is looked up in the socket's network namespace, where indices begin at 1 again.
 */
#pragma once

#include "flow.h"

#define INTERFACE_NAME_SIZE 16

/* net->dev_index_head: chains of interfaces with the same lower bits in their index. */
enum { INTERFACE_CHAINS = 256, INTERFACE_CHAIN_LENGTH = 16 };

/* 1 for 0, else 0, without a branch: each branch doubles what a verifier has to follow. */
static __always_inline __u32 is_zero(__u32 v)
{
	return ((__u64)v - 1) >> 63;
}

/* Whether an address is valid on one link only: fe80::/10 and 169.254.0.0/16, or a group that no router forwards. */
static __always_inline __u32 is_link_local(const struct address *a)
{
	const __u32 *w = (const __u32 *)a->octets;
	__u32 ipv4 = is_zero(w[0] | w[1] | (w[2] ^ bpf_htonl(0xffff)));

	return is_zero((w[0] ^ bpf_htonl(0xfe800000)) & bpf_htonl(0xffc00000)) |
	       is_zero((w[0] ^ bpf_htonl(0xff010000)) & bpf_htonl(0xff0f0000)) |
	       is_zero((w[0] ^ bpf_htonl(0xff020000)) & bpf_htonl(0xff0f0000)) |
	       (ipv4 & (is_zero((w[3] ^ bpf_htonl(0xa9fe0000)) & bpf_htonl(0xffff0000)) |
			is_zero((w[3] ^ bpf_htonl(0xe0000000)) & bpf_htonl(0xffffff00))));
}

static __always_inline bool has_link_local(const struct flow *f)
{
	return is_link_local(&f->remote) | is_link_local(&f->local);
}

/*
 * The address of an interface of a network namespace; 0 if there is none. Not static: verifiers follow the loop once, and not for
 * each caller.
 */
__noinline __u64 find_device(__u64 netns, __u32 index)
{
	struct net *net = (struct net *)netns;
	struct hlist_node *node = NULL;
	struct hlist_head *chains;
	struct net_device *dev;

	chains = BPF_CORE_READ(net, dev_index_head);
	bpf_probe_read_kernel(&node, sizeof(node), chains + index % INTERFACE_CHAINS);
	for (int i = 0; i < INTERFACE_CHAIN_LENGTH && node; i++) {
		dev = (struct net_device *)((__u64)node - bpf_core_field_offset(struct net_device, index_hlist));
		if ((__u32)BPF_CORE_READ(dev, ifindex) == index)
			return (__u64)dev;
		node = BPF_CORE_READ(node, next);
	}
	return 0;
}

/* Reads the name of an interface of a namespace; it stays empty if there is none. */
static __always_inline void find_interface(char name[INTERFACE_NAME_SIZE], __u64 netns, __u32 index)
{
	struct net_device *dev = index ? (struct net_device *)find_device(netns, index) : NULL;

	if (dev)
		bpf_core_read(name, INTERFACE_NAME_SIZE, &dev->name);
}

/* The name of the interface that a connection with a link-local address is bound to; empty otherwise. */
static __always_inline void read_interface(char name[INTERFACE_NAME_SIZE], const struct flow *f, const struct net *net,
					   __u32 index)
{
	__builtin_memset(name, 0, INTERFACE_NAME_SIZE);
	if (index && has_link_local(f))
		find_interface(name, address_of(net), index);
}
