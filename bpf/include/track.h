/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Keeps the owners of sockets. For TCP, one program at inet_sock_set_state does this: connection if it is enabled, otherwise
 * socket.
 */
#pragma once

#include "fd.h"
#include "listening.h"
#include "record.h"
#include "sockets.h"

/* Where states are kept by address: forgets a closed socket when another socket gets its address. */
static __always_inline void forget_closed(__u64 address)
{
	bpf_map_delete_elem(&ebpf_closed_by_address, &address);
}

static __always_inline struct socket_state *put_by_address(__u64 address, const struct socket_state *state)
{
	forget_closed(address);
	bpf_map_update_elem(&ebpf_sockets_by_address, &address, state, BPF_ANY);
	return bpf_map_lookup_elem(&ebpf_sockets_by_address, &address);
}

/* Stores a state in a socket, given by a pointer of any kind that can have storage. Returns NULL if there is no room. */
static __always_inline struct socket_state *store_state(void *sk, struct socket_state *state)
{
	struct socket_state *s;

	if (by_address)
		s = put_by_address(address_of(sk), state);
	else
		s = bpf_sk_storage_get(&ebpf_socket_storage, sk, state, BPF_SK_STORAGE_GET_F_CREATE);
	if (s)
		*s = *state; /* it may have been there before */
	else
		count_loss(LOSS_MAP_FULL);
	return s;
}

/* Sets the state of a TCP socket, whatever it was before. Returns NULL if there is no room. */
static __always_inline struct socket_state *put_state(struct sock *sk, struct socket_state *state)
{
	__u64 cookie = number_socket(sk);
	struct socket_slot *slot = by_address ? NULL : socket_slot(cookie);

	if (slot && holds_slot(&slot->slot, cookie) && !slot->state.closed) {
		slot->state = *state;
		return &slot->state;
	}
	if (slot && claim_slot(&slot->slot)) {
		slot->state = *state;
		__builtin_memset(slot->connection, 0, sizeof(slot->connection));
		__builtin_memset(slot->tcp, 0, sizeof(slot->tcp));
		publish_slot(&slot->slot, cookie);
		return &slot->state;
	}
	return store_state(sk, state);
}

/* Reads a process that holds a socket. */
static __always_inline void read_holder(struct owner *o, struct life *life, struct task_struct *task)
{
	read_owner(o, task);
	read_life(life, o, task);
}

/* Reads the current process, which holds a socket that it may be about to close because it ends. */
static __always_inline void read_current_holder(struct socket_state *s, __u32 pid)
{
	struct task_struct *task = current_task();
	struct owner *executed;

	read_holder(&s->owner, &s->life, task);
	if (!read_names || READ(by_address, task, mm))
		return;
	executed = bpf_map_lookup_elem(&ebpf_executed, &pid);
	if (executed)
		__builtin_memcpy(s->owner.executable, executed->executable, sizeof(s->owner.executable));
}

/* The owner is gone, and who holds the socket instead is not known. */
static __always_inline void forget_owner(struct socket_state *s)
{
	__builtin_memset(&s->owner, 0, sizeof(s->owner));
	set_identity(&s->life, IDENTITY_GONE);
}

/*
 * Makes sure that the recorded owner of a socket holds it, before something is reported. In a system call on the socket, the
 * current process holds it. It becomes the owner if the recorded one is gone, or has passed on a socket that it connected. An
 * accepted connection keeps the owner of the listener. In a softirq, the current process has nothing to do with the socket.
 */
static __always_inline void check_owner(struct sock *sk, struct socket_state *s)
{
	__u32 pid;

	if (!sk->sk_lock.owned) {
		if (sk->sk_socket && is_gone(&s->owner, &s->life))
			forget_owner(s);
		return;
	}
	pid = bpf_get_current_pid_tgid() >> 32;
	if (s->owner.pid == pid) {
		struct end_count *count = end_count(pid);

		s->owner.uid = read_user(current_task(), by_address);
		if (!count || (__u16)count->ends == s->life.ends)
			return;
		s->life.ends = count->ends;
		/* The counter has changed: the owner, or another process with this counter, has ended or executed a program. */
		if (identity_in(&s->life) == identity_of(current_task(), by_address))
			return;
	} else if (READ(by_address, current_task(), flags) & PF_KTHREAD) {
		return;
	} else if (s->owner.pid && s->role != ROLE_CLIENT && !is_gone(&s->owner, &s->life)) {
		return;
	}
	read_current_holder(s, pid);
}

/*
 * The context of a TCP socket that has joined a connection of MPTCP, or asks to: a further subflow. NULL for all others. An
 * accepted socket has it when it is established.
 */
static __always_inline struct mptcp_subflow_context *further_subflow(struct tcp_sock *tp)
{
	struct mptcp_subflow_context *context = tp->inet_conn.icsk_ulp_data;

	if (!context || !bpf_core_field_exists(tp->is_mptcp) || !tp->is_mptcp)
		return NULL;
	if (!BPF_CORE_READ_BITFIELD_PROBED(context, request_join) && !BPF_CORE_READ_BITFIELD_PROBED(context, mp_join))
		return NULL;
	return context;
}

/* The state of an open TCP socket by its address; NULL if it is not known, or not in a slot. */
static __always_inline struct socket_state *state_at(struct sock *sk)
{
	struct socket_slot *slot;
	__u64 cookie;

	if (by_address)
		return entry_by_address(&ebpf_sockets_by_address, (__u64)sk, NULL);
	cookie = BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
	slot = cookie ? socket_slot(cookie) : NULL;
	return slot && holds_slot(&slot->slot, cookie) && !slot->state.closed ? &slot->state : NULL;
}

/*
 * A further subflow belongs to the owner of the first one: the kernel opens it, or a daemon that manages paths. Returns whether
 * it is one.
 */
static __always_inline bool share_owner(struct socket_state *s, struct tcp_sock *tp)
{
	struct mptcp_subflow_context *context = further_subflow(tp);
	struct socket_state *first;
	struct mptcp_sock *whole;

	if (!context)
		return false;
	whole = (struct mptcp_sock *)BPF_CORE_READ(context, conn);
	first = state_at(BPF_CORE_READ(whole, first));
	if (first && !is_gone(&first->owner, &first->life)) {
		s->owner = first->owner;
		s->life = first->life;
	} else if (s->role == ROLE_CLIENT) {
		__builtin_memset(&s->owner, 0, sizeof(s->owner));
	}
	return true;
}

/* CLOSE → SYN_SENT, in the context of the process that connects. */
static __noinline struct socket_state *track_connect(struct sock *sk, struct tcp_sock *tp)
{
	struct socket_state state = {.role = ROLE_CLIENT};

	read_holder(&state.owner, &state.life, current_task());
	share_owner(&state, tp);
	return put_state(sk, &state);
}

/* A socket that has just been made, by the current process. */
static __always_inline void track_created(void *sk)
{
	struct socket_state state = {};

	read_holder(&state.owner, &state.life, current_task());
	store_state(sk, &state);
}

/*
 * A datagram socket that is being connected. The current process may have it from another one, which has made it. The owner is the
 * thread that connects, whether or not another hook has seen the socket before.
 */
static __always_inline void track_connected_datagrams(void *sk)
{
	struct task_struct *task = current_task();
	struct socket_state *s;

	if (READ(by_address, task, flags) & PF_KTHREAD)
		return;
	if (by_address)
		s = entry_by_address(&ebpf_sockets_by_address, address_of(sk), NULL);
	else
		s = bpf_sk_storage_get(&ebpf_socket_storage, sk, NULL, 0);
	if (!s)
		track_created(sk);
	else
		read_holder(&s->owner, &s->life, task);
}

/* Keeps the stored state of a listener that is older than the hooks, with the new owner if its own is gone. */
static __always_inline bool adopt_stored(struct sock *sk, const struct listener *l)
{
	struct socket_state *s = stored_state(sk);

	if (!s)
		return false;
	if (is_gone(&s->owner, &s->life)) {
		s->owner = l->owner;
		s->life = l->life;
	}
	return true;
}

/* Records the owner of a listener and its port, from which accepted connections get theirs. */
static __noinline void record_listener(struct sock *sk, struct task_struct *task, bool existed)
{
	struct listener l = {.socket = (__u64)sk}, *first;
	struct socket_state state = {};
	struct port port = port_of(sk);

	if (by_address)
		forget_closed(address_of(sk));
	number_socket(sk);
	read_holder(&l.owner, &l.life, task);
	if (port.number && !bpf_map_update_elem(&ebpf_listeners, &port, &l, BPF_NOEXIST))
		return;
	first = bpf_map_lookup_elem(&ebpf_listeners, &port);
	if (first && first->socket == l.socket) {
		if (!existed || is_gone(&first->owner, &first->life)) {
			first->owner = l.owner;
			first->life = l.life;
		}
		return;
	}
	if (existed && adopt_stored(sk, &l))
		return;
	/* Another one has the port, or there is no port yet: the storage hands the owner down to accepted sockets. */
	state.owner = l.owner;
	state.life = l.life;
	store_state(sk, &state);
}

/* Adds a listener to those whose accept queues are read. A known listener keeps its owner while that exists. */
static __noinline void add_listening(struct sock *trusted, struct task_struct *task, bool existed)
{
	static const struct listening none;
	struct sock *sk = (struct sock *)address_of(trusted);
	struct port port = port_of(trusted);
	__u64 key = (__u64)sk;
	struct listening *l;

	bpf_map_update_elem(&ebpf_listening, &key, &none, BPF_NOEXIST);
	l = bpf_map_lookup_elem(&ebpf_listening, &key);
	if (!l) {
		count_loss(LOSS_MAP_FULL);
		return;
	}
	if (existed && l->since) {
		if (!l->owner.pid || is_gone(&l->owner, &l->life))
			read_holder(&l->owner, &l->life, task);
		return;
	}
	read_holder(&l->owner, &l->life, task);
	if (port.family == AF_INET6)
		BPF_CORE_READ_INTO(&l->address, sk, __sk_common.skc_v6_rcv_saddr);
	else
		map_ipv4(&l->address, BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr));
	l->port = port;
	l->socket = key;
	l->first_drops = drops_of(sk);
	l->drops = l->first_drops;
	l->first_overflows = overflows_of(sk);
	l->overflows = l->first_overflows;
	l->reported = 0;
	l->gone = 0;
	barrier();
	l->since = bpf_ktime_get_ns();
}

/*
 * CLOSE → LISTEN, in the context of the process that listens; or a listener that existed before, with a process that holds it. Two
 * functions, because the stack of both together would be too large.
 */
static __always_inline void track_listener(struct sock *sk, struct task_struct *task, bool existed)
{
	record_listener(sk, task, existed);
	add_listening(sk, task, existed);
}

/* LISTEN → CLOSE. */
static __noinline void untrack_listener(struct sock *sk)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct port port = port_of(sk);
	struct listener *first;

	if (!tp)
		return;
	/* skc_num may be cleared already; inet_sport stays. */
	port.number = bpf_ntohs(tp->inet_conn.icsk_inet.inet_sport);
	remove_listening(sk);
	first = bpf_map_lookup_elem(&ebpf_listeners, &port);
	if (first && first->socket == (__u64)sk)
		bpf_map_delete_elem(&ebpf_listeners, &port);
}

/* Gives an accepted socket the owner of its port. */
static __always_inline void inherit_owner(struct socket_state *state, struct sock *sk)
{
	struct port port = port_of(sk);
	struct listener *first = bpf_map_lookup_elem(&ebpf_listeners, &port);

	if (!first)
		return;
	if (is_gone(&first->owner, &first->life)) {
		forget_owner(state);
		return;
	}
	state->owner = first->owner;
	state->life = first->life;
}

/* An accepted socket: its state is a copy of its listener's storage, or new with the owner of its port. */
static __noinline struct socket_state *track_accept(struct sock *sk)
{
	struct socket_state state = {.role = ROLE_SERVER}, *s;

	/* By address there is no copy: what is found there is of an earlier socket. */
	s = by_address ? NULL : stored_state(sk);
	if (s && !s->closed) {
		s->role = ROLE_SERVER;
		if (is_gone(&s->owner, &s->life))
			forget_owner(s);
		return s;
	}
	inherit_owner(&state, sk);
	return put_state(sk, &state);
}

/* SYN_SENT → ESTABLISHED where the connect() was missed. The owner is not known then. */
static __always_inline struct socket_state *track_connected(struct sock *sk)
{
	struct socket_state state = {.role = ROLE_CLIENT};

	return put_state(sk, &state);
}

/* Whether a TCP connection is established, or is being closed. */
static __always_inline bool is_open(int state)
{
	return state != TCP_CLOSE && state != TCP_LISTEN && state != TCP_SYN_SENT && state != TCP_SYN_RECV;
}

/* The side of a connection that existed before: an accepted socket still has the backlog of its listener. */
static __always_inline __u8 role_of_existing(const struct sock *sk)
{
	return READ(by_address, sk, sk_max_ack_backlog) ? ROLE_SERVER : ROLE_CLIENT;
}

/*
 * A connection that is older than the hooks and was in no process's descriptors at their start: nobody had accepted it, or it was
 * on its way from one process to another. The socket is being closed. Returns NULL if it has been closed before, or if there is
 * no room.
 */
static __always_inline struct socket_state *track_late(struct sock *sk)
{
	struct socket_state state = {.role = role_of_existing(sk)}, *s;

	if (find_closed(sk))
		return NULL;
	if (state.role == ROLE_SERVER)
		inherit_owner(&state, sk);
	else
		forget_owner(&state);
	s = put_state(sk, &state);
	if (s)
		check_owner(sk, s);
	return s;
}

/*
 * The end of a connection. What is known of it can still be found as that of a closed socket: other programs may run at the
 * same hook after this one.
 */
static __always_inline void track_close(struct sock *sk)
{
	__u64 cookie = sk->__sk_common.skc_cookie.counter;
	struct socket_slot *slot = socket_slot(cookie);
	struct socket_state *s;

	if (by_address) {
		__u64 address = address_of(sk);

		s = bpf_map_lookup_elem(&ebpf_sockets_by_address, &address);
		if (!s)
			return;
		bpf_map_update_elem(&ebpf_closed_by_address, &address, s, BPF_ANY);
		bpf_map_delete_elem(&ebpf_sockets_by_address, &address);
		return;
	}
	if (slot && holds_slot(&slot->slot, cookie) && !slot->state.closed) {
		slot->state.closed = true;
		retire_slot(&slot->slot);
		return;
	}
	s = stored_state(sk);
	if (s)
		s->closed = true;
}

/* The socket of a file, if it is an IP socket; otherwise NULL. */
static __always_inline struct sock *socket_of_file(struct file *file)
{
	struct socket *sock;
	struct sock *sk;
	__u16 family;

	if (!file)
		return NULL;
	if (by_address) {
		sk = type_of_file(file) == S_IFSOCK ? sock_of_file_probe(file) : NULL;
	} else {
		sock = bpf_sock_from_file(file);
		if (!sock)
			return NULL;
		sk = sock->sk;
	}
	if (!sk)
		return NULL;
	family = READ(by_address, sk, __sk_common.skc_family);
	return family == AF_INET || family == AF_INET6 ? sk : NULL;
}

static __always_inline void adopt_port(const struct port *port, const struct listener *l)
{
	struct listener *first = bpf_map_lookup_elem(&ebpf_listeners, port);

	if (!first || first->socket != l->socket || !is_gone(&first->owner, &first->life))
		return;
	first->owner = l->owner;
	first->life = l->life;
}

/*
 * A socket that existed before, held by a task. What a hook has written is newer and stays, unless that owner is gone. Returns
 * its state;
 * NULL for listeners and for MPTCP sockets.
 */
static __always_inline struct socket_state *track_existing(struct sock *sk, struct task_struct *task)
{
	__u16 protocol = READ(by_address, sk, sk_protocol);
	int tcp_state = READ(by_address, sk, __sk_common.skc_state);
	struct socket_state state = {}, *s;
	struct listener l = {};
	struct port port;

	if (protocol == IPPROTO_MPTCP) {
		/* The TCP sockets below it cannot be reached from here. A listener's are found by their port. */
		if (tcp_state != TCP_LISTEN)
			return NULL;
		port = port_of(sk);
		read_holder(&l.owner, &l.life, task);
		if (bpf_map_update_elem(&ebpf_listeners, &port, &l, BPF_NOEXIST))
			adopt_port(&port, &l);
		return NULL;
	}
	if (tcp_state == TCP_LISTEN) {
		track_listener(sk, task, true);
		return NULL;
	}
	s = by_address ? stored_state(sk) : find_state(sk);
	if (s) {
		if (!s->owner.pid || is_gone(&s->owner, &s->life))
			read_holder(&s->owner, &s->life, task);
		return s;
	}
	read_holder(&state.owner, &state.life, task);
	if (protocol == IPPROTO_TCP) {
		if (is_open(tcp_state))
			state.role = role_of_existing(sk);
		return put_state(sk, &state);
	}
	number_socket(sk);
	return store_state(sk, &state);
}
