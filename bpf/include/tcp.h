/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* What a TCP socket says of itself. */
#pragma once

#include "filter.h"

/* What the change of a socket is noted by: see substitute.h. */
static __always_inline __u32 hash_of(const struct sock *sk)
{
	return bpf_ntohs(sk->__sk_common.skc_dport) + sk->__sk_common.skc_num;
}

/* Both ends of a connection. */
static __always_inline void read_flow(struct flow *f, struct sock *sk, struct tcp_sock *tp)
{
	/* skc_num is cleared before a socket is closed; inet_sport stays. */
	f->local_port = bpf_ntohs(tp->inet_conn.icsk_inet.inet_sport);
	f->remote_port = bpf_ntohs(sk->__sk_common.skc_dport);
	if (sk->__sk_common.skc_family == AF_INET6) {
		__u32 *local = (__u32 *)f->local.octets, *remote = (__u32 *)f->remote.octets;

		for (int i = 0; i < 4; i++) {
			local[i] = sk->__sk_common.skc_v6_rcv_saddr.in6_u.u6_addr32[i];
			remote[i] = sk->__sk_common.skc_v6_daddr.in6_u.u6_addr32[i];
		}
	} else {
		map_ipv4(&f->local, sk->__sk_common.skc_rcv_saddr);
		map_ipv4(&f->remote, sk->__sk_common.skc_daddr);
	}
}
