/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * ICMP errors for datagrams of connected UDP sockets. The send has succeeded long before; the next call on the socket returns the
 * error. The hook is called for errors only, and exists from Linux 5.14 on. Sockets that are not connected do not get such errors,
 * unless they ask for them.
 */
#pragma once

#include "udp.h"

/*
 * Whether the failure of a peer was reported already. If not, marks it: the next connect() to it may reach it. Errors may come on several
 * CPUs at once, of which one has to win.
 */
static __always_inline bool test_and_set_failed(struct sock *sk, const struct udp_peer *peer)
{
	__u8 *state = bpf_map_lookup_elem(&connection_udp_peers, peer), failed = PEER_FAILED;
	struct udp_last_peer *last;

	if (state && (*state == PEER_FAILED || bpf_map_delete_elem(&connection_udp_peers, peer)))
		return true;
	last = bpf_sk_storage_get(&connection_udp_last, sk, NULL, 0);
	if (last && last->port == peer->port && !__builtin_memcmp(&last->address, &peer->address, sizeof(last->address)))
		last->reached = false;
	if (bpf_map_update_elem(&connection_udp_peers, peer, &failed, BPF_NOEXIST)) {
		if (!bpf_map_lookup_elem(&connection_udp_peers, peer))
			count_loss(LOSS_MAP_FULL);
		return true;
	}
	count_inserted();
	return false;
}

/* Too large a datagram says nothing about the peer: processes find the path's MTU that way. */
static __always_inline bool is_failure(int error)
{
	return error != EMSGSIZE && is_icmp_error(error);
}

SEC("tp_btf/inet_sk_error_report")
int BPF_PROG(connection_udp_error, struct sock *sk)
{
	struct attempt a = {.transport = IPPROTO_UDP, .attribution = ATTRIBUTION_SOCKET};
	const struct owner *owner;
	int error;

	if (sk->sk_protocol != IPPROTO_UDP || sk->__sk_common.skc_state != TCP_ESTABLISHED)
		return 0;
	error = sk->sk_err;
	if (!is_failure(error))
		return 0;
	read_common_flow(&a.flow, &sk->__sk_common, false);
	owner = find_owner(sk);
	if (owner && owner->pid) {
		a.owner = *owner;
	} else {
		a.owner.cgroup = socket_cgroup(sk);
		a.attribution = ATTRIBUTION_CGROUP;
		a.gone = true; /* or the socket was connected before the hooks were there */
	}
	if (is_excluded_process(&a.owner) || is_excluded_flow(&a.flow))
		return 0;
	a.peer.cookie = sk->__sk_common.skc_cookie.counter;
	a.peer.address = a.flow.remote;
	a.peer.port = a.flow.remote_port;
	if (test_and_set_failed(sk, &a.peer))
		return 0;
	a.time = bpf_ktime_get_ns();
	a.netns = sk->__sk_common.skc_net.net->ns.inum;
	a.hooked = is_hooked(sk->__sk_common.skc_net.net);
	read_interface(a.interface, &a.flow, sk->__sk_common.skc_net.net, sk->__sk_common.skc_bound_dev_if);
	report_attempt(EVENT_CLOSE, &a, error);
	return 0;
}
