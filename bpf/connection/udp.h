/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * UDP: a connection is a connect(), or the first datagram from a socket to a peer. The cgroup hooks run before routing and
 * netfilter; the result of the system call tells whether it succeeded.
 */
#pragma once

#include "../include/track.h"
#include "attempts.h"

enum { INADDR_LOOPBACK = 0x7f000001 };

/* The peer of the last datagram that a socket has sent: most sockets send to one peer only. */
struct udp_last_peer {
	struct address address;
	__u16 port;
	bool reached; /* no lookup in the map of peers is needed */
	bool others;  /* the socket has more peers, which are all in the map */
	__u8 pad[4];
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct udp_last_peer);
} connection_udp_last SEC(".maps");

enum udp_peer_state {
	PEER_NEW = 1, /* no attempt has succeeded or failed yet */
	PEER_FAILED,  /* an attempt has failed and was reported */
	PEER_REACHED,
};

/*
 * The peers of sockets with several peers, and peers that were not reached. User space removes the peers of sockets that no
 * longer exist. On kernels without socket storage the loader makes this an LRU map.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 262144);
	__type(key, struct udp_peer);
	__type(value, __u8); /* enum udp_peer_state */
} connection_udp_peers SEC(".maps");

/* The number of peers that were added to the map. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} connection_udp_inserted SEC(".maps");

static __always_inline void count_inserted(void)
{
	__u32 zero = 0;
	__u64 *inserted = bpf_map_lookup_elem(&connection_udp_inserted, &zero);

	if (inserted)
		__sync_fetch_and_add(inserted, 1);
}

static __always_inline bool put_peer(const struct udp_peer *peer, __u8 state)
{
	if (bpf_map_update_elem(&connection_udp_peers, peer, &state, BPF_ANY)) {
		count_loss(LOSS_MAP_FULL);
		return false;
	}
	count_inserted();
	return true;
}

/* The attempt has succeeded, or its result cannot be known. */
static __noinline int on_reached(struct attempt *a)
{
	struct udp_peer peer;

	if (!a)
		return 0;
	peer = a->peer;
	if (a->state)
		put_peer(&peer, PEER_REACHED);
	report_attempt(EVENT_CONNECT, a, 0);
	return 0;
}

static __noinline int on_failed(struct attempt *a, __u32 error)
{
	struct udp_peer peer;

	if (!a)
		return 0;
	peer = a->peer;
	/* Neither success nor failure: the process or the kernel tries again. A connect() does not wait: it has found no port. */
	if ((error == EAGAIN && !a->unsent) || error >= ERESTARTSYS) {
		if (!a->state)
			put_peer(&peer, PEER_NEW);
		return 0;
	}
	if (a->state == PEER_FAILED)
		return 0;
	put_peer(&peer, PEER_FAILED);
	report_attempt(EVENT_CONNECT, a, error);
	return 0;
}

/* struct mmsghdr and struct sockaddr_in or sockaddr_in6 of a 64-bit process, as far as they are read here. */
struct user_message {
	__u64 name;
	__u32 name_length;
	__u8 rest[52];
};

struct user_address {
	__u16 family;
	__be16 port;
	__be32 ipv4;
	struct address ipv6;
};

static __always_inline bool is_for_peer(const struct user_address *to, const struct udp_peer *peer)
{
	struct address address = to->ipv6;

	if (bpf_ntohs(to->port) != peer->port)
		return false;
	if (to->family == AF_INET)
		map_ipv4(&address, to->ipv4);
	return !__builtin_memcmp(&address, &peer->address, sizeof(address));
}

/*
 * Whether the attempt, which is the thread's last one, is of a datagram that sendmmsg() has not sent. It has sent those before. It does
 * not say what has failed, and the process calls it again for the rest.
 */
static __noinline int is_left(const struct attempt *a, int sent)
{
	const struct pt_regs *regs = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());
	struct user_message message = {};
	struct user_address to = {};

	if (!a || SYSCALL_NUMBER(regs) != NR_SENDMMSG || (__u32)sent >= (__u32)SYSCALL_ARGUMENT_3(regs))
		return 0;
	if (bpf_probe_read_user(&message, sizeof(message), (void *)SYSCALL_ARGUMENT_2(regs) + sent * sizeof(message)))
		return 0;
	/* An IPv4 address is shorter, and may be at the end of its page. */
	if (bpf_probe_read_user(&to, offsetof(struct user_address, ipv6), (void *)message.name))
		return 0;
	if (to.family != AF_INET &&
	    bpf_probe_read_user(&to.ipv6, sizeof(to.ipv6), (void *)message.name + offsetof(struct user_address, ipv6)))
		return 0;
	return is_for_peer(&to, &a->peer);
}

/* Runs when the task returns to user space. */
static int on_result(struct bpf_map *map, void *thread, void *value)
{
	struct awaited *wait = value;
	__u64 key = *(__u64 *)thread;
	bool known;
	int result;

	bpf_preempt_disable();
	known = read_syscall_result(&result);
	if (wait->attempt.transport == IPPROTO_TCP)
		on_connected(&wait->attempt, known ? result : 0);
	else if (wait->attempt.transport == IPPROTO_UDP && known && result < 0)
		on_failed(&wait->attempt, -result);
	else if (wait->attempt.transport == IPPROTO_UDP && known && is_left(&wait->attempt, result))
		on_failed(&wait->attempt, EAGAIN);
	else if (wait->attempt.transport == IPPROTO_UDP)
		on_reached(&wait->attempt);
	bpf_map_delete_elem(&connection_attempts, &key);
	bpf_preempt_enable();
	return 0;
}

/*
 * The attempt of this thread, to be filled in; NULL if there is no room for it. *awaited is set if on_result() comes for it already: a
 * thread sends several datagrams with one call (sendmmsg), of which the earlier ones have succeeded.
 */
static __always_inline struct awaited *begin_attempt(__u64 *thread, bool *awaited)
{
	static const struct no_attempt none;
	struct awaited *wait = bpf_map_lookup_elem(&connection_attempts, thread);

	*awaited = wait != NULL;
	if (wait) {
		if (wait->attempt.transport == IPPROTO_UDP)
			on_reached(&wait->attempt);
		wait->attempt.transport = 0;
		return wait;
	}
	if (bpf_map_update_elem(&connection_attempts, thread, &none, BPF_NOEXIST)) {
		count_loss(LOSS_MAP_FULL);
		return NULL;
	}
	return bpf_map_lookup_elem(&connection_attempts, thread);
}

/* Ends an attempt that was not filled in, or for which on_result() does not come. */
static __always_inline void end_attempt(__u64 *thread, bool awaited)
{
	if (!awaited)
		bpf_map_delete_elem(&connection_attempts, thread);
}

/* Has on_result() run when the call returns. Returns false if that is not possible. */
static __always_inline bool await_result(struct awaited *wait, enum task_work_by by)
{
	struct task_struct *task;

	if (by == NO_TASK_WORK)
		return false;
	task = bpf_get_current_task_btf();
	if (task->flags & (PF_KTHREAD | PF_IO_WORKER))
		return false;
	if (by == TASK_WORK_6_18)
		return !bpf_task_work_schedule_resume_impl(task, &wait->work, &connection_attempts, on_result, NULL);
	return !bpf_task_work_schedule_resume(task, &wait->work, &connection_attempts, on_result);
}

/*
 * Remembers the peer of a datagram or connect(), and returns the state that it had: PEER_REACHED if nothing needs to be reported,
 * or 0 for the socket's first peer, which is not in the map.
 */
static __always_inline __u8 remember_peer(struct bpf_sock *sk, const struct udp_peer *peer)
{
	struct udp_last_peer *last = bpf_sk_storage_get(&connection_udp_last, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	bool known, first;
	__u8 *state;

	if (!last) {
		count_loss(LOSS_MAP_FULL);
		return PEER_REACHED;
	}
	first = !last->port && !last->others;
	known = last->port == peer->port && !__builtin_memcmp(&last->address, &peer->address, sizeof(last->address));
	if (known && last->reached)
		return PEER_REACHED;
	if (!first && !known && !last->others) {
		/* From now on the map has all peers. It has the first one already if that was not reached. */
		struct udp_peer before = {.cookie = peer->cookie, .address = last->address, .port = last->port};

		if (!bpf_map_lookup_elem(&connection_udp_peers, &before) && !put_peer(&before, PEER_REACHED))
			return PEER_REACHED;
		last->others = true;
	}
	last->port = peer->port;
	last->address = peer->address;
	last->reached = false;
	if (first)
		return 0;
	state = bpf_map_lookup_elem(&connection_udp_peers, peer);
	last->reached = state ? *state == PEER_REACHED : known && !last->others;
	if (last->reached)
		return PEER_REACHED;
	if (state)
		return *state;
	return put_peer(peer, PEER_NEW) ? PEER_NEW : PEER_REACHED;
}

/* Like remember_peer(), for kernels without socket storage. */
static __always_inline __u8 remember_peer_by_cookie(const struct udp_peer *peer)
{
	__u8 *state = bpf_map_lookup_elem(&connection_udp_peers, peer);

	if (state)
		return *state;
	return put_peer(peer, PEER_NEW) ? PEER_NEW : PEER_REACHED;
}

/*
 * Whether a datagram goes to the peer that the socket is connected to. The kernel calls the hook for it if the process names the peer
 * again, and in any case if the peer of an IPv6 socket has an IPv4 address.
 */
static __always_inline bool is_for_connected(const struct bpf_sock *sk, const struct udp_peer *peer)
{
	struct address to;
	__u32 *words = (__u32 *)to.octets;

	if (sk->state != TCP_ESTABLISHED || bpf_ntohs(sk->dst_port) != peer->port)
		return false;
	if (sk->family == AF_INET) {
		map_ipv4(&to, sk->dst_ip4);
	} else {
		words[0] = sk->dst_ip6[0];
		words[1] = sk->dst_ip6[1];
		words[2] = sk->dst_ip6[2];
		words[3] = sk->dst_ip6[3];
	}
	return !__builtin_memcmp(&to, &peer->address, sizeof(to));
}

/* Handles a connect() or a datagram. If its result cannot be known, it counts as a success. */
static __always_inline void on_udp(struct bpf_sock_addr *ctx, const struct flow *flow, bool connects, enum task_work_by by)
{
	struct udp_peer peer = {.address = flow->remote, .port = flow->remote_port};
	__u64 thread = bpf_get_current_pid_tgid();
	struct bpf_sock *sk = ctx->sk;
	struct awaited *wait;
	struct attempt *a;
	bool awaited;
	__u8 state;

	if (!sk)
		return;
	peer.cookie = bpf_get_socket_cookie(ctx);
	state = by_address ? remember_peer_by_cookie(&peer) : remember_peer(sk, &peer);
	if (state == PEER_REACHED)
		return;
	/* An ICMP error may come for this datagram, too: see udp_errors.h. */
	if (state == PEER_FAILED && !connects && is_for_connected(sk, &peer))
		return;
	wait = begin_attempt(&thread, &awaited);
	if (!wait)
		return;
	a = &wait->attempt;
	a->state = state;
	a->unsent = connects;
	if (connects)
		track_connected_datagrams(sk);
	read_caller(a);
	if (is_excluded_process(&a->owner) || is_excluded_flow(flow)) {
		end_attempt(&thread, awaited);
		return;
	}
	a->flow = *flow;
	a->peer = peer;
	a->time = bpf_ktime_get_ns();
	read_place(a, ctx, sk);
	a->transport = IPPROTO_UDP;
	if (awaited || await_result(wait, by))
		return;
	on_reached(a);
	end_attempt(&thread, false);
}

static __always_inline __u64 mix(__u64 hash, __u64 value)
{
	hash = (hash ^ value) * 0x9e3779b97f4a7c15ULL;
	return hash ^ hash >> 32;
}

/*
 * A hash of what decides whether a connect() has a route: the network namespace, the destination, mark and interface of the socket,
 * and the generation of the namespace's routes, which changes whenever they do.
 */
static __always_inline __u64 route_to(struct bpf_sock_addr *ctx, struct bpf_sock *bpf_sock, const struct flow *flow)
{
	struct sock *sk = (struct sock *)address_of(bpf_sock);
	struct net *net = BPF_CORE_READ(sk, __sk_common.skc_net.net);
	const __u64 *address = (const __u64 *)flow->remote.octets;
	__u64 hash = mix(1, bpf_get_netns_cookie(ctx));

	hash = mix(hash, address[0]);
	hash = mix(hash, address[1]);
	hash = mix(hash, (__u64)bpf_sock->mark << 32 | bpf_sock->bound_dev_if);
	return mix(hash, is_ipv4(&flow->remote) ? BPF_CORE_READ(net, ipv4.rt_genid.counter)
						: BPF_CORE_READ(net, ipv6.fib6_sernum.counter));
}

/* Whether a connect() is known to send its SYN. No program before has denied it. One to a link-local address needs an interface. */
static __always_inline bool is_routed(__u64 route, const struct flow *flow)
{
	__u64 *known;

	if (bpf_get_retval() || has_link_local(flow))
		return false;
	known = find_routed(route);
	return known && *known == route;
}

/* Handles a connect() of TCP, in case it fails before anything is sent. */
static __always_inline void on_tcp(struct bpf_sock_addr *ctx, const struct flow *flow, enum task_work_by by)
{
	__u64 thread = bpf_get_current_pid_tgid();
	struct bpf_sock *sk = ctx->sk;
	struct awaited *wait;
	struct attempt *a;
	bool awaited;
	__u64 route;

	if (by == NO_TASK_WORK || !sk)
		return;
	route = route_to(ctx, sk, flow);
	if (is_routed(route, flow))
		return;
	wait = begin_attempt(&thread, &awaited);
	if (!wait)
		return;
	a = &wait->attempt;
	a->started = false;
	a->unsent = false;
	a->flow = *flow;
	a->peer.cookie = bpf_get_socket_cookie(ctx);
	a->time = bpf_ktime_get_ns();
	a->route = route;
	read_place(a, ctx, sk);
	a->transport = IPPROTO_TCP;
	if (!awaited && !await_result(wait, by))
		end_attempt(&thread, false);
}

/* Whether a call is of a protocol that is followed here. */
static __always_inline bool is_followed(const struct bpf_sock_addr *ctx, bool connects)
{
	return ctx->protocol == IPPROTO_UDP || (connects && awaits_connect && ctx->protocol == IPPROTO_TCP);
}

/* Writes the cookies of all UDP sockets in descriptor tables. */
SEC("iter/task_file")
int connection_udp_sockets(struct bpf_iter__task_file *ctx)
{
	struct sock *sk;
	__u64 cookie;

	if (!ctx->task)
		return 0;
	sk = socket_of_file(ctx->file);
	if (!sk || READ(by_address, sk, sk_protocol) != IPPROTO_UDP)
		return 0;
	cookie = READ(by_address, sk, __sk_common.skc_cookie.counter);
	if (cookie)
		bpf_seq_write(ctx->meta->seq, &cookie, sizeof(cookie));
	return 0;
}

static __always_inline int on_udp4(struct bpf_sock_addr *ctx, bool connects, enum task_work_by by)
{
	struct flow flow = {};
	__be32 remote;

	if (!is_followed(ctx, connects))
		return 1;
	if (ctx->sk) {
		map_ipv4(&flow.local, ctx->sk->src_ip4);
		flow.local_port = ctx->sk->src_port;
	}
	remote = ctx->user_ip4;
	/* The address 0.0.0.0 is this host: the socket's own address, or loopback. */
	if (!remote)
		remote = flow.local_port && ctx->sk && ctx->sk->src_ip4 ? ctx->sk->src_ip4 : bpf_htonl(INADDR_LOOPBACK);
	map_ipv4(&flow.remote, remote);
	flow.remote_port = bpf_ntohs(ctx->user_port);
	if (ctx->protocol == IPPROTO_TCP)
		on_tcp(ctx, &flow, by);
	else
		on_udp(ctx, &flow, connects, by);
	return 1;
}

static __always_inline int on_udp6(struct bpf_sock_addr *ctx, bool connects, enum task_work_by by)
{
	struct flow flow = {};
	__u32 *local = (__u32 *)flow.local.octets, *remote = (__u32 *)flow.remote.octets;

	if (!is_followed(ctx, connects))
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
	if (!(remote[0] | remote[1] | remote[2] | remote[3])) {
		/* As for IPv4. A socket bound to an IPv4 address sends to IPv4 loopback. */
		remote[3] = bpf_htonl(is_ipv4(&flow.local) ? INADDR_LOOPBACK : 1);
		if (is_ipv4(&flow.local))
			remote[2] = bpf_htonl(0xffff);
	}
	flow.remote_port = bpf_ntohs(ctx->user_port);
	if (ctx->protocol == IPPROTO_TCP)
		on_tcp(ctx, &flow, by);
	else
		on_udp(ctx, &flow, connects, by);
	return 1;
}

#define UDP_HOOKS(suffix, by)                                      \
	SEC("cgroup/connect4")                                     \
	int connection_connect4##suffix(struct bpf_sock_addr *ctx) \
	{                                                          \
		return on_udp4(ctx, true, by);                     \
	}                                                          \
                                                                   \
	SEC("cgroup/connect6")                                     \
	int connection_connect6##suffix(struct bpf_sock_addr *ctx) \
	{                                                          \
		return on_udp6(ctx, true, by);                     \
	}                                                          \
                                                                   \
	SEC("cgroup/sendmsg4")                                     \
	int connection_sendmsg4##suffix(struct bpf_sock_addr *ctx) \
	{                                                          \
		return on_udp4(ctx, false, by);                    \
	}                                                          \
                                                                   \
	SEC("cgroup/sendmsg6")                                     \
	int connection_sendmsg6##suffix(struct bpf_sock_addr *ctx) \
	{                                                          \
		return on_udp6(ctx, false, by);                    \
	}

UDP_HOOKS(, TASK_WORK_6_18)
UDP_HOOKS(_implicit, TASK_WORK_7)
UDP_HOOKS(_assumed, NO_TASK_WORK)
