//go:build ignore

// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
// Records who owns each socket, at the moments when that process is the one that runs, and has the kernel number the
// sockets: a number that is asked for later, where it can only be read, would not be there.
#include "../include/filter.h"
#include "../include/track.h"

static __always_inline void accepted(struct sock *sk)
{
	struct socket_state *s = find_state(sk);

	/* Two sides that connect to each other at the same time accept nothing. */
	if (s && s->role == ROLE_CLIENT)
		return;
	s = track_accept(sk);
	if (s)
		s->role = ROLE_SERVER;
}

static __always_inline void changed(struct sock *sk, int old, int new)
{
	/* The TCP sockets below an MPTCP socket have states of their own. */
	if (new != TCP_SYN_SENT && new != TCP_LISTEN && new != TCP_ESTABLISHED && new != TCP_CLOSE)
		return;
	if (sk->sk_protocol != IPPROTO_TCP)
		return;
	if (old == TCP_CLOSE && new == TCP_SYN_SENT)
		track_connect(sk);
	else if (old == TCP_CLOSE && new == TCP_LISTEN)
		track_listener(sk, current_task(), false);
	else if (old == TCP_LISTEN && new == TCP_CLOSE)
		untrack_listener(sk);
	else if (old == TCP_SYN_RECV && new == TCP_ESTABLISHED)
		accepted(sk);
	else if (new == TCP_CLOSE)
		delete_state(sk);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(socket_set_state, struct sock *sk, int old, int new)
{
	changed(sk, old, new);
	return 0;
}

/* For kernels that let another task run in the middle of a program: to be told twice is as good as once. */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(substitute_set_state, struct sock *sk, int old, int new)
{
	changed(sk, old, new);
	return 0;
}

/* Datagram and raw sockets have no state to hook: they belong to the process that makes them. */
SEC("cgroup/sock_create")
int socket_create(struct bpf_sock *ctx)
{
	struct socket_state *s;

	/* The others are numbered when their state changes, where that can be done. */
	if (ctx->type != SOCK_STREAM || by_address)
		bpf_get_socket_cookie(ctx);
	if (ctx->type == SOCK_STREAM)
		return 1;
	s = storage_of(ctx);
	if (s)
		read_owner(&s->owner, current_task());
	else
		count_loss(LOSS_MAP_FULL);
	return 1;
}

/* Run once after the hooks are attached. */
SEC("iter/task_file")
int socket_find(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct sock *sk;

	if (!task)
		return 0;
	if (by_address) {
		sk = socket_of_file_slowly(ctx->file);
		if (sk)
			track_found_slowly(sk, task);
		return 0;
	}
	sk = socket_of_file(ctx->file);
	if (sk)
		track_found(sk, task);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
