/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Keeps the owners of TCP sockets, from one run of a program at inet_sock_set_state: that of program connection, if it is
 * there, or else that of program socket.
 */
#pragma once

#include "owner.h"
#include "record.h"

/* CLOSE → SYN_SENT, in the context of the process that connects. */
static __always_inline void track_connect(struct sock *sk)
{
	struct socket_state *s = new_state(sk);

	if (!s) {
		count_loss(LOSS_MAP_FULL);
		return;
	}
	read_owner(&s->owner, current_task());
	s->role = ROLE_CLIENT;
	s->since = bpf_ktime_get_ns();
}

/* The owner of a listener whose port another one has, or which has no port yet, is handed down in its storage. */
static __always_inline void keep_in_storage(struct sock *sk, const struct owner *owner)
{
	struct socket_state *s = storage_of(sk);

	if (s)
		s->owner = *owner;
	else
		count_loss(LOSS_MAP_FULL);
}

/* CLOSE → LISTEN, in the context of the process that listens; or a listener that was found, with one that holds it. */
static __always_inline void track_listener(struct sock *sk, struct task_struct *task, bool found)
{
	struct listener l = {.socket = (__u64)sk}, *first;
	struct port port = port_of(sk);

	number_socket(sk);
	read_owner(&l.owner, task);
	if (port.number && !bpf_map_update_elem(&listeners, &port, &l, BPF_NOEXIST))
		return;
	first = bpf_map_lookup_elem(&listeners, &port);
	if (!first || first->socket != l.socket)
		keep_in_storage(sk, &l.owner);
	else if (!found)
		first->owner = l.owner;
}

/* LISTEN → CLOSE. */
static __always_inline void untrack_listener(struct sock *sk)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct port port = port_of(sk);
	struct listener *first;

	if (!tp)
		return;
	/* skc_num may be cleared already; inet_sport stays. */
	port.number = bpf_ntohs(tp->inet_conn.icsk_inet.inet_sport);
	first = bpf_map_lookup_elem(&listeners, &port);
	if (first && first->socket == (__u64)sk)
		bpf_map_delete_elem(&listeners, &port);
}

/* The state of a socket that was accepted: a copy of its listener's storage, or new with the owner of its port. */
static __always_inline struct socket_state *track_accept(struct sock *sk)
{
	/* No copy is made by address: what is there is left over. */
	struct socket_state *s = by_address ? NULL : stored_state(sk);
	struct listener *first;
	struct port port;

	if (s)
		return s;
	s = new_state(sk);
	if (!s) {
		count_loss(LOSS_MAP_FULL);
		return NULL;
	}
	port = port_of(sk);
	first = bpf_map_lookup_elem(&listeners, &port);
	if (first)
		s->owner = first->owner;
	return s;
}

/* A socket that is older than the hooks, held by a task; what a hook has written is newer and stays. */
static __always_inline void track_found(struct sock *sk, struct task_struct *task)
{
	struct listener l = {};
	struct socket_state *s;
	struct port port;

	/* The TCP sockets below an MPTCP socket can't be reached from it here; its listeners are found by their port. */
	if (sk->sk_protocol == IPPROTO_MPTCP) {
		if (sk->__sk_common.skc_state != TCP_LISTEN)
			return;
		port = port_of(sk);
		read_owner(&l.owner, task);
		bpf_map_update_elem(&listeners, &port, &l, BPF_NOEXIST);
		return;
	}
	if (sk->__sk_common.skc_state == TCP_LISTEN) {
		track_listener(sk, task, true);
		return;
	}
	if (find_state(sk))
		return;
	number_socket(sk);
	s = sk->sk_protocol == IPPROTO_TCP ? new_state(sk) : storage_of(sk);
	if (s)
		read_owner(&s->owner, task);
	else
		count_loss(LOSS_MAP_FULL);
}

/* The socket behind a file, of those whose owners are kept. */
static __always_inline struct sock *socket_of_file(struct file *file)
{
	struct socket *sock;
	struct sock *sk;

	if (!file)
		return NULL;
	sock = bpf_sock_from_file(file);
	if (!sock)
		return NULL;
	sk = sock->sk;
	if (!sk || (sk->__sk_common.skc_family != AF_INET && sk->__sk_common.skc_family != AF_INET6))
		return NULL;
	return sk;
}

/*
 * The same where there is no pointer to the socket that the verifier knows as one. A listener is known by its port, and an
 * MPTCP socket not at all: NULL is returned for them, and otherwise the state.
 */
static __always_inline struct socket_state *track_found_slowly(struct sock *sk, struct task_struct *task)
{
	struct socket_state *s;
	struct listener l = {.socket = (__u64)sk};
	struct port port = {
		.netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum),
		.number = BPF_CORE_READ(sk, __sk_common.skc_num),
		.family = BPF_CORE_READ(sk, __sk_common.skc_family),
	};

	if (BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_LISTEN) {
		read_owner(&l.owner, task);
		bpf_map_update_elem(&listeners, &port, &l, BPF_NOEXIST);
		return NULL;
	}
	if (BPF_CORE_READ(sk, sk_protocol) == IPPROTO_MPTCP)
		return NULL;
	s = state_by_address((__u64)sk, true);
	if (s && !s->owner.pid)
		read_owner(&s->owner, task);
	return s;
}

static __always_inline struct sock *socket_of_file_slowly(struct file *file)
{
	struct socket *sock;
	struct sock *sk;
	__u16 family;

	if (!file || (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return NULL;
	sock = BPF_CORE_READ(file, private_data);
	sk = BPF_CORE_READ(sock, sk);
	family = BPF_CORE_READ(sk, __sk_common.skc_family);
	return family == AF_INET || family == AF_INET6 ? sk : NULL;
}
