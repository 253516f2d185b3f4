/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* UDP: a connection is the first datagram of a socket to a peer. The hooks of cgroups see it before routing and filters. */
#pragma once

#include "counts.h"

/* The peer of the last datagram that a socket has sent: most sockets send to one peer only. */
struct udp_last_peer {
	struct address address;
	__u16 port;
	__u8 pad[6];
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct udp_last_peer);
} connection_udp_last SEC(".maps");

/* A peer that a socket has sent to. */
struct udp_peer {
	__u64 cookie;
	struct address address;
	__u32 port;
	__u32 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct udp_peer);
	__type(value, __u8);
} connection_udp_peers SEC(".maps");

/* The inode number of a socket's namespace. A struct bpf_sock is a struct sock of which programs see some fields only. */
static __always_inline __u32 netns_of(struct bpf_sock *sk)
{
	struct sock *address = (struct sock *)address_of(sk);

	return BPF_CORE_READ(address, __sk_common.skc_net.net, ns.inum);
}

/* Remembers the peer of a datagram. Returns whether it is another one than that of the datagram before. */
static __always_inline bool set_last_peer(struct bpf_sock *sk, const struct flow *flow)
{
	struct udp_last_peer *last;

	/* There is no storage: the map of all peers knows. */
	if (by_address)
		return true;
	last = bpf_sk_storage_get(&connection_udp_last, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!last) {
		count_loss(LOSS_MAP_FULL);
		return false;
	}
	if (last->port == flow->remote_port && !__builtin_memcmp(&last->address, &flow->remote, sizeof(last->address)))
		return false;
	last->port = flow->remote_port;
	last->address = flow->remote;
	return true;
}

/* Counts and reports a datagram if it is the socket's first one to that peer. */
static __always_inline void report_udp(struct bpf_sock_addr *ctx, const struct flow *flow)
{
	struct series key = {.transport = IPPROTO_UDP, .role = ROLE_CLIENT};
	struct udp_peer peer = {.address = flow->remote, .port = flow->remote_port};
	struct counts *counts;
	struct bpf_sock *sk = ctx->sk;
	struct owner owner;
	struct event *e;
	__u64 now;

	if (!sk || !set_last_peer(sk, flow))
		return;
	peer.cookie = bpf_get_socket_cookie(ctx);
	if (test_and_set(&connection_udp_peers, &peer))
		return;

	/* A socket may be shared: the process that sends is the one that has a new peer. */
	read_owner(&owner, current_task());
	if (is_excluded_owner(&owner) || is_excluded_flow(flow))
		return;
	now = bpf_ktime_get_ns();
	key.cgroup = owner.pid ? owner.cgroup : bpf_get_current_cgroup_id();
	key.type = type_of(flow);
	counts = find_counts(&key);
	if (counts)
		__sync_fetch_and_add(&counts->opened, 1);

	if (!event_enabled(EVENT_CONNECT) || !take_from_limit())
		return;
	e = reserve_record(EVENT_CONNECT, sizeof(*e), now, false);
	if (!e)
		return;
	e->owner = owner;
	e->owner.cgroup = key.cgroup;
	e->flow = *flow;
	e->transport = IPPROTO_UDP;
	e->role = ROLE_CLIENT;
	e->attribution = owner.pid ? ATTRIBUTION_CURRENT : ATTRIBUTION_CGROUP;
	e->gone = false;
	e->cookie = peer.cookie;
	e->duration = 0;
	e->bytes_sent = 0;
	e->bytes_received = 0;
	e->rtt = 0;
	e->rtt_min = 0;
	e->retransmits = 0;
	e->netns = netns_of(sk);
	e->error = 0;
	e->family = 0;
	e->pad = 0;
	submit_record(e);
}

static __always_inline int on_udp4(struct bpf_sock_addr *ctx)
{
	struct flow flow = {};

	if (ctx->protocol != IPPROTO_UDP)
		return 1;
	if (ctx->sk) {
		map_ipv4(&flow.local, ctx->sk->src_ip4);
		flow.local_port = ctx->sk->src_port;
	}
	map_ipv4(&flow.remote, ctx->user_ip4);
	flow.remote_port = bpf_ntohs(ctx->user_port);
	report_udp(ctx, &flow);
	return 1;
}

static __always_inline int on_udp6(struct bpf_sock_addr *ctx)
{
	struct flow flow = {};
	__u32 *local = (__u32 *)flow.local.octets, *remote = (__u32 *)flow.remote.octets;

	if (ctx->protocol != IPPROTO_UDP)
		return 1;
	if (ctx->sk) {
		local[0] = ctx->sk->src_ip6[0];
		local[1] = ctx->sk->src_ip6[1];
		local[2] = ctx->sk->src_ip6[2];
		local[3] = ctx->sk->src_ip6[3];
		flow.local_port = ctx->sk->src_port;
	}
	remote[0] = ctx->user_ip6[0];
	remote[1] = ctx->user_ip6[1];
	remote[2] = ctx->user_ip6[2];
	remote[3] = ctx->user_ip6[3];
	flow.remote_port = bpf_ntohs(ctx->user_port);
	report_udp(ctx, &flow);
	return 1;
}

SEC("cgroup/connect4")
int connection_connect4(struct bpf_sock_addr *ctx)
{
	return on_udp4(ctx);
}

SEC("cgroup/connect6")
int connection_connect6(struct bpf_sock_addr *ctx)
{
	return on_udp6(ctx);
}

SEC("cgroup/sendmsg4")
int connection_sendmsg4(struct bpf_sock_addr *ctx)
{
	return on_udp4(ctx);
}

SEC("cgroup/sendmsg6")
int connection_sendmsg6(struct bpf_sock_addr *ctx)
{
	return on_udp6(ctx);
}
