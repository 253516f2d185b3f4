//go:build ignore

// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
// Records who owns each socket, at the moments when that process is the one that runs, and has the kernel number the
// sockets: a number that is asked for later, where it can only be read, would not be there.
#include "include/filter.h"
#include "include/record.h"

static __always_inline struct socket_state *new_state(struct sock *sk)
{
	struct socket_state *s = bpf_sk_storage_get(&sockets, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);

	if (!s)
		count_loss(PROGRAM_SOCKET, LOSS_MAP_FULL);
	return s;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(socket_set_state, struct sock *sk, int old, int new)
{
	struct socket_state *s;

	if (old != TCP_CLOSE || (new != TCP_SYN_SENT && new != TCP_LISTEN))
		return 0;
	s = new_state(sk);
	if (!s)
		return 0;
	read_owner(&s->owner, bpf_get_current_task_btf());
	bpf_get_socket_cookie(sk);
	s->flags = 0;
	s->role = ROLE_UNKNOWN;
	if (new == TCP_SYN_SENT) {
		s->role = ROLE_CLIENT;
		s->since = bpf_ktime_get_ns();
	}
	return 0;
}

/* Datagram and raw sockets have no state to hook: they belong to the process that makes them. */
SEC("cgroup/sock_create")
int socket_create(struct bpf_sock *ctx)
{
	struct socket_state *s;

	if (ctx->type == SOCK_STREAM)
		return 1;
	bpf_get_socket_cookie(ctx);
	s = bpf_sk_storage_get(&sockets, ctx, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (s)
		read_owner(&s->owner, bpf_get_current_task_btf());
	else
		count_loss(PROGRAM_SOCKET, LOSS_MAP_FULL);
	return 1;
}

/* The TCP sockets below an MPTCP socket can't be reached from it here; its listeners are found by their port. */
static __always_inline void find_listener(struct sock *sk, struct task_struct *task)
{
	struct listener l = {.netns = sk->__sk_common.skc_net.net->ns.inum, .port = sk->__sk_common.skc_num};
	struct owner o = {};

	read_owner(&o, task);
	if (bpf_map_update_elem(&older_listeners, &l, &o, BPF_ANY))
		count_loss(PROGRAM_SOCKET, LOSS_MAP_FULL);
}

static __always_inline void find_owner(struct sock *sk, struct task_struct *task)
{
	struct socket_state *s;

	if (sk->sk_protocol == IPPROTO_MPTCP) {
		if (sk->__sk_common.skc_state == TCP_LISTEN)
			find_listener(sk, task);
		return;
	}
	/* What a hook has written since it was attached is newer than what is found here. */
	if (bpf_sk_storage_get(&sockets, sk, NULL, 0))
		return;
	bpf_get_socket_cookie(sk);
	s = new_state(sk);
	if (s)
		read_owner(&s->owner, task);
}

/* Run once after the hooks are attached: the owners of the sockets that are older than they are. */
SEC("iter/task_file")
int socket_find(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct socket *sock;
	struct sock *sk;

	if (!task || !file)
		return 0;
	sock = bpf_sock_from_file(file);
	if (!sock)
		return 0;
	sk = sock->sk;
	if (!sk)
		return 0;
	if (sk->__sk_common.skc_family != AF_INET && sk->__sk_common.skc_family != AF_INET6)
		return 0;
	find_owner(sk, task);
	return 0;
}

EXPORT_STRUCT(record);
EXPORT_STRUCT(flow);
EXPORT_ENUM(program_id);
EXPORT_ENUM(loss_cause);
EXPORT_ENUM(attribution);
EXPORT_ENUM(role);
char LICENSE[] SEC("license") = "Dual BSD/GPL";
