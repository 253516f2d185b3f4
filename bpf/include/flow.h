/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Addresses and ports of both ends of a connection or a packet. */
#pragma once

#include "kernel.h"

/* An IP address; IPv4 is held as a v4-mapped address. It is read and copied by words. */
struct address {
	__u8 octets[16];
} __attribute__((aligned(4)));

/* Ports are in host byte order; 0 is not known. */
struct flow {
	struct address local;
	struct address remote;
	__u16 local_port;
	__u16 remote_port;
};

static __always_inline void map_ipv4(struct address *a, __be32 ipv4)
{
	__builtin_memset(a->octets, 0, 10);
	a->octets[10] = 0xff;
	a->octets[11] = 0xff;
	__builtin_memcpy(a->octets + 12, &ipv4, 4);
}

static __always_inline bool is_ipv4(const struct address *a)
{
	const __u32 *words = (const __u32 *)a->octets;

	return !words[0] && !words[1] && words[2] == bpf_htonl(0xffff);
}

static __always_inline bool is_loopback(const struct address *a)
{
	const __u32 *words = (const __u32 *)a->octets;

	if (is_ipv4(a))
		return a->octets[12] == 127;
	return !words[0] && !words[1] && !words[2] && words[3] == bpf_htonl(1);
}

/* The number in network.type: 4 or 6. */
static __always_inline __u8 type_of(const struct flow *f)
{
	return is_ipv4(&f->remote) ? 4 : 6;
}

/* Both ends, from what sockets of all kinds have: full ones, those of requests and those in TIME_WAIT. */
static __always_inline void read_common_flow(struct flow *f, const struct sock_common *sk, bool probe)
{
	f->local_port = READ(probe, sk, skc_num);
	f->remote_port = bpf_ntohs(READ(probe, sk, skc_dport));
	if (READ(probe, sk, skc_family) != AF_INET6) {
		map_ipv4(&f->local, READ(probe, sk, skc_rcv_saddr));
		map_ipv4(&f->remote, READ(probe, sk, skc_daddr));
	} else if (probe) {
		BPF_CORE_READ_INTO(&f->local, sk, skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO(&f->remote, sk, skc_v6_daddr);
	} else {
		__u32 *local = (__u32 *)f->local.octets, *remote = (__u32 *)f->remote.octets;

		for (int i = 0; i < 4; i++) {
			local[i] = sk->skc_v6_rcv_saddr.in6_u.u6_addr32[i];
			remote[i] = sk->skc_v6_daddr.in6_u.u6_addr32[i];
		}
	}
}

/* Both ends of a TCP socket. The kernel clears skc_num before it closes a socket; inet_sport stays. */
static __always_inline void read_flow(struct flow *f, struct sock *sk, struct tcp_sock *tp)
{
	read_common_flow(f, &sk->__sk_common, false);
	f->local_port = bpf_ntohs(tp->inet_conn.icsk_inet.inet_sport);
}

/* The same by an address that the verifier does not know as a pointer to a socket. */
static __always_inline void read_flow_probe(struct flow *f, struct sock *sk)
{
	read_common_flow(f, &sk->__sk_common, true);
	f->local_port = bpf_ntohs(BPF_CORE_READ((struct inet_sock *)sk, inet_sport));
}
