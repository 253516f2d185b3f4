/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Looks at the connections that are open: see living.h. */
#pragma once

#include "tcp.h"

static __always_inline void read_bytes(struct living *l, struct sock *sk, int state, __u8 role)
{
	struct tcp_sock *tp = by_address ? (struct tcp_sock *)sk : bpf_skc_to_tcp_sock(sk);
	__u64 flags = role == ROLE_CLIENT, acked;

	if (!tp)
		return;
	acked = READ(by_address, tp, bytes_acked);
	if ((state == TCP_FIN_WAIT1 || state == TCP_FIN_WAIT2 || state == TCP_CLOSING || state == TCP_LAST_ACK) &&
	    READ(by_address, tp, snd_una) == READ(by_address, tp, write_seq))
		flags++;
	l->sent = acked > flags ? acked - flags : 0;
	l->received = READ(by_address, tp, bytes_received) - (READ(by_address, sk, __sk_common.skc_flags) >> SOCK_DONE & 1);
}

static __noinline int look_at(struct sock *sk, struct socket_state *s, struct connection *c, int state)
{
	struct living new = {.key = {.series = {.transport = IPPROTO_TCP, .role = s->role}}}, *l;
	__u64 key = socket_key(sk);
	struct flow flow = {};
	struct look *look;
	__u32 zero = 0;

	look = bpf_map_lookup_elem(&connection_look, &zero);
	if (!look || !key)
		return 0;
	l = bpf_map_lookup_elem(&connection_living, &key);
	if (l) {
		if (l->closed || l->last == look->number) /* several processes may have it */
			return 0;
		/* By address, the entry may be left over from an earlier socket, and is replaced. */
		if (c->flags & CONNECTION_LIVING) {
			read_bytes(l, sk, state, s->role);
			l->last = look->number;
			return 0;
		}
	}
	read_flow_probe(&flow, sk);
	set_server(&new.key.server, &flow, s->role);
	new.key.series.type = type_of(&flow);
	new.key.series.cgroup = by_address ? s->owner.cgroup : cgroup_of(s, sk);
	new.first = look->number;
	new.last = look->number;
	if (bpf_map_update_elem(&connection_living, &key, &new, l ? BPF_ANY : BPF_NOEXIST))
		return 0;
	/* Its end leaves the totals from now on. Nothing is counted until another look has found it still open. */
	c->flags |= CONNECTION_LIVING;
	__sync_fetch_and_add(&look->found, 1);
	return 0;
}

SEC("iter/task_file")
int connection_look_at_living(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct socket_state *s;
	struct connection *c;
	struct sock *sk;
	int state;

	if (!task)
		return 0;
	sk = socket_of_file(ctx->file);
	if (!sk || READ(by_address, sk, sk_protocol) != IPPROTO_TCP)
		return 0;
	state = READ(by_address, sk, __sk_common.skc_state);
	if (!is_open(state))
		return 0;
	s = by_address ? stored_state(sk) : find_state(sk);
	c = s ? connection_part(sk) : NULL;
	if (c && (c->flags & (CONNECTION_OPENED | CONNECTION_EXCLUDED | CONNECTION_SUBFLOW)) == CONNECTION_OPENED)
		look_at(sk, s, c, state);
	return 0;
}
