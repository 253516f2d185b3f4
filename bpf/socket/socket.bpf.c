//go:build ignore

// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
// Records who owns each socket, while the process that makes, connects or listens with it is the current one. It also has the
// kernel number the sockets, because other hooks can only read a number that is there.
#include "../include/filter.h"
#include "../include/track.h"

static __always_inline void on_established(struct sock *sk, struct tcp_sock *tp)
{
	struct socket_state *s = find_state(sk);

	/* Of two sides that connect to each other at the same time, none accepts. */
	if (s && s->role == ROLE_CLIENT)
		return;
	s = track_accept(sk);
	if (s)
		share_owner(s, tp);
}

static __always_inline void on_end(struct sock *sk, int old, int next)
{
	struct socket_state *s = find_state(sk);

	if (!s && is_open(old))
		s = track_late(sk);
	if (!s)
		return;
	check_owner(sk, s);
	if (next == TCP_CLOSE)
		track_close(sk);
}

static __always_inline void on_change(struct sock *sk, int old, int next)
{
	struct tcp_sock *tp;

	if (next != TCP_SYN_SENT && next != TCP_LISTEN && next != TCP_ESTABLISHED && next != TCP_CLOSE && next != TCP_FIN_WAIT1 &&
	    next != TCP_LAST_ACK)
		return;
	/* NULL for an MPTCP socket: the TCP sockets below it have states of their own. */
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return;
	sk = sock_of(tp);
	if (old == TCP_CLOSE && next == TCP_SYN_SENT)
		track_connect(sk, tp);
	else if (old == TCP_CLOSE && next == TCP_LISTEN)
		track_listener(sk, current_task(), false);
	else if (old == TCP_LISTEN && next == TCP_CLOSE)
		untrack_listener(sk);
	else if (old == TCP_SYN_RECV && next == TCP_ESTABLISHED)
		on_established(sk, tp);
	else if (next == TCP_CLOSE || next == TCP_FIN_WAIT1 || next == TCP_LAST_ACK)
		on_end(sk, old, next);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(socket_set_state, struct sock *sk, int old, int next)
{
	on_change(sk, old, next);
	return 0;
}

/* The fallback where programs are preemptible. To handle a change twice has no further effect. */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(socket_set_state_missed, struct sock *sk, int old, int next)
{
	on_change(sk, old, next);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(socket_process_exit, struct task_struct *task)
{
	on_process_exit(task);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(socket_process_exec, struct task_struct *task)
{
	on_process_exec(task);
	return 0;
}

/* Datagram and raw sockets have no changes of state to hook. They belong to the process that makes them. */
SEC("cgroup/sock_create")
int socket_create(struct bpf_sock *ctx)
{
	/* Stream sockets are numbered when their state changes, unless tracing programs cannot do that. */
	if (ctx->type != SOCK_STREAM || by_address)
		bpf_get_socket_cookie(ctx);
	if (ctx->type != SOCK_STREAM)
		track_created(ctx);
	return 1;
}

/* Runs once after the hooks are attached. */
SEC("iter/task_file")
int socket_find(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct sock *sk;

	if (!task)
		return 0;
	sk = socket_of_file(ctx->file);
	if (sk)
		track_existing(sk, task);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
