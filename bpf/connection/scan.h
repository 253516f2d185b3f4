/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* The scan of open connections: see open_bytes.h. */
#pragma once

#include "tcp.h"

static __noinline int count_open_bytes(const struct peer_series *key, __u64 sent, __u64 received)
{
	static const struct byte_counts none;
	struct byte_counts *counts = FIND_SERIES(&connection_byte_counts, key, &none, {.series = {.cgroup = OVERFLOW_CGROUP}});

	if (!counts)
		return 0;
	counts->sent += sent;
	counts->received += received;
	return 0;
}

/* Counts the bytes since the last scan. */
static __always_inline int count_new_bytes(struct open_bytes *l, struct sock *sk, int state, bool probe)
{
	struct tcp_sock *tp = probe ? (struct tcp_sock *)sk : bpf_skc_to_tcp_sock(sk);
	__u64 flags = l->key.series.role == ROLE_CLIENT, acked, sent, received;

	if (!tp)
		return 0;
	acked = READ(probe, tp, bytes_acked);
	if ((state == TCP_FIN_WAIT1 || state == TCP_FIN_WAIT2 || state == TCP_CLOSING || state == TCP_LAST_ACK) &&
	    READ(probe, tp, snd_una) == READ(probe, tp, write_seq))
		flags++;
	sent = acked > flags ? acked - flags : 0;
	received = READ(probe, tp, bytes_received) - (READ(probe, sk, __sk_common.skc_flags) >> SOCK_DONE & 1);
	if (sent == l->sent && received == l->received)
		return 0;
	count_open_bytes(&l->key, sent - l->sent, received - l->received);
	l->sent = sent;
	l->received = received;
	return 0;
}

/* Scans a connection again. Several processes may have it, and the scan may find it several times. */
static __always_inline void scan_again(struct scan *scan, struct open_bytes *l, struct sock *sk, int state)
{
	if (l->closed || l->last == scan->number)
		return;
	count_new_bytes(l, sk, state, by_address);
	l->last = scan->number;
	scan->open++;
}

/* Nothing is counted until another scan has found the connection still open. */
static __noinline int scan_first(struct sock *sk, struct socket_state *s, struct connection *c, struct scan *scan,
				 struct open_bytes *l)
{
	struct open_bytes new = {.key = {.series = {.transport = IPPROTO_TCP, .role = s->role}}};
	__u64 key = socket_key(sk);
	struct new_connection *again;
	struct flow flow = {};
	__u32 place;

	read_flow_probe(&flow, sk);
	set_server(&new.key.server, &flow, s->role);
	new.key.series.type = type_of(&flow);
	new.key.series.cgroup = by_address ? s->owner.cgroup : cgroup_of(s, sk);
	new.first = scan->number;
	new.last = scan->number;
	if (bpf_map_update_elem(&connection_open_bytes, &key, &new, l ? BPF_ANY : BPF_NOEXIST))
		return 0;
	/* Its end leaves the totals from now on. */
	c->flags |= CONNECTION_SCANNED;
	place = scan->found++;
	scan->open++;
	again = bpf_map_lookup_elem(&connection_new, &place);
	if (again) {
		again->socket = address_of(sk);
		again->key = key;
	}
	return 0;
}

/*
 * Checks a connection that this scan has found first: it is open if its socket still has its number, and has not closed since. By then
 * no end is under way any more that does not know of the scan.
 */
static __noinline int confirm(__u32 place)
{
	struct new_connection *again = bpf_map_lookup_elem(&connection_new, &place);
	struct open_bytes *l;
	struct sock *sk;
	int state;

	if (!again)
		return 0;
	l = bpf_map_lookup_elem(&connection_open_bytes, &again->key);
	if (!l || l->closed)
		return 0;
	sk = (struct sock *)again->socket;
	state = BPF_CORE_READ(sk, __sk_common.skc_state);
	if (is_open(state) && BPF_CORE_READ(sk, __sk_common.skc_cookie.counter) == (__s64)again->key)
		count_new_bytes(l, sk, state, true);
	return 0;
}

static __always_inline void confirm_new(void)
{
	struct scan *scan;
	__u32 zero = 0;

	scan = bpf_map_lookup_elem(&connection_scan, &zero);
	if (!scan || scan->found > NEW_CONNECTIONS || by_address)
		return;
	for (__u32 i = 0; i < NEW_CONNECTIONS && i < scan->found; i++)
		confirm(i);
	scan->confirmed = scan->found;
}

SEC("iter/task_file")
int connection_scan_open(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct socket_state *s;
	struct connection *c;
	struct open_bytes *l;
	struct scan *scan;
	struct sock *sk;
	__u32 zero = 0;
	__u64 key;
	int state;

	if (!task) { /* the end */
		confirm_new();
		return 0;
	}
	sk = socket_of_file(ctx->file);
	if (!sk || READ(by_address, sk, sk_protocol) != IPPROTO_TCP)
		return 0;
	state = READ(by_address, sk, __sk_common.skc_state);
	if (!is_open(state))
		return 0;
	key = socket_key(sk);
	scan = bpf_map_lookup_elem(&connection_scan, &zero);
	if (!key || !scan)
		return 0;
	l = bpf_map_lookup_elem(&connection_open_bytes, &key);
	if (l && !by_address) {
		scan_again(scan, l, sk, state);
		return 0;
	}
	s = by_address ? stored_state(sk) : find_state(sk);
	c = s ? connection_part(sk) : NULL;
	if (!c || (c->flags & (CONNECTION_OPENED | CONNECTION_EXCLUDED | CONNECTION_SUBFLOW)) != CONNECTION_OPENED)
		return 0;
	/* By address, the entry may be left over from an earlier socket, and is replaced. */
	if (l && (l->closed || c->flags & CONNECTION_SCANNED))
		scan_again(scan, l, sk, state);
	else
		scan_first(sk, s, c, scan, l);
	return 0;
}
