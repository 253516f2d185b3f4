/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The scan of open connections: see open_bytes.h. It has steps, which user space runs one after the other. The first one looks at the
 * connections that are known: most have no new bytes, and cost two reads each. The others look for new ones where the state of sockets
 * is. So a scan reads neither the descriptors of processes nor their files, which would be most of its time.
 */
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

/* Whether this side's FIN is sent, and acknowledged. */
static __always_inline bool is_fin_acked(struct tcp_sock *tp, int state)
{
	return (state == TCP_FIN_WAIT1 || state == TCP_FIN_WAIT2 || state == TCP_CLOSING || state == TCP_LAST_ACK) &&
	       BPF_CORE_READ(tp, snd_una) == BPF_CORE_READ(tp, write_seq);
}

/*
 * Counts the bytes since the last scan, and what is new for the next one. Returns false if the connection is not open any more. The
 * socket's number is read last: by then its memory may have become that of another one.
 */
static __always_inline bool count_new_bytes(struct open_bytes *l, __u64 key)
{
	struct tcp_sock *tp = (struct tcp_sock *)l->socket;
	struct sock *sk = (struct sock *)tp;
	int state = BPF_CORE_READ(sk, __sk_common.skc_state);
	__u64 acked = BPF_CORE_READ(tp, bytes_acked), taken = BPF_CORE_READ(tp, bytes_received);
	__u64 flags = (l->key.series.role == ROLE_CLIENT) + is_fin_acked(tp, state);
	__u64 sent = acked > flags ? acked - flags : 0;
	__u64 received = taken - (BPF_CORE_READ(sk, __sk_common.skc_flags) >> SOCK_DONE & 1);

	if (!is_open(state) || (!by_address && (__u64)BPF_CORE_READ(sk, __sk_common.skc_cookie.counter) != key))
		return false;
	l->settled = l->acked == acked && l->taken == taken;
	l->acked = acked;
	l->taken = taken;
	if (sent == l->sent && received == l->received)
		return true;
	count_open_bytes(&l->key, sent - l->sent, received - l->received);
	l->sent = sent;
	l->received = received;
	return true;
}

/* Scans a connection again. By address, several processes may have it, and the scan may find it several times. */
static __noinline int scan_again(struct scan *scan, struct open_bytes *l, __u64 key)
{
	if (l->closed || l->last == scan->number || !count_new_bytes(l, key))
		return 0;
	l->last = scan->number;
	scan->open++;
	return 0;
}

/* Nothing is counted until another scan has found the connection still open. */
static __noinline int scan_first(struct sock *sk, __u64 key, __u8 role, struct connection *c, struct scan *scan)
{
	struct open_bytes new = {.key = {.series = {.transport = IPPROTO_TCP, .role = role}}};
	struct new_connection *again;
	struct flow flow = {};
	__u32 place;

	read_flow_probe(&flow, sk);
	set_server(&new.key.server, &flow, role);
	new.key.series.type = type_of(&flow);
	new.key.series.cgroup = opened_cgroup(c);
	new.socket = address_of(sk);
	new.acked = ~0ULL; /* not yet settled */
	new.first = scan->number;
	new.last = scan->number;
	/* An earlier connection of the same socket is counted before. By address, the entry may be left over from another socket. */
	if (bpf_map_update_elem(&connection_open_bytes, &key, &new, by_address ? BPF_ANY : BPF_NOEXIST))
		return 0;
	/* Its end leaves the totals from now on. */
	__sync_fetch_and_add(&c->flags, CONNECTION_SCANNED);
	place = scan->found++;
	scan->open++;
	again = bpf_map_lookup_elem(&connection_new, &place);
	if (again)
		again->key = key;
	return 0;
}

static __always_inline bool is_new_to_scans(const struct connection *c)
{
	const __u64 all = CONNECTION_OPENED | CONNECTION_EXCLUDED | CONNECTION_SUBFLOW | CONNECTION_SCANNED;

	return (c->flags & all) == CONNECTION_OPENED;
}

static __always_inline struct scan *scan_under_way(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&connection_scan, &zero);
}

/*
 * Checks a connection that this scan has found first: it is open if its socket still has its number, and has not closed since. By then
 * no end is under way any more that does not know of the scan.
 */
static __noinline int confirm(__u32 place)
{
	struct new_connection *again = bpf_map_lookup_elem(&connection_new, &place);
	struct open_bytes *l;

	if (!again)
		return 0;
	l = bpf_map_lookup_elem(&connection_open_bytes, &again->key);
	if (l && !l->closed && !find_closed_slot(again->key))
		count_new_bytes(l, again->key);
	return 0;
}

static __always_inline void confirm_new(void)
{
	struct scan *scan = scan_under_way();

	if (!scan || scan->found > NEW_CONNECTIONS)
		return;
	for (__u32 i = 0; i < NEW_CONNECTIONS && i < scan->found; i++)
		confirm(i);
	scan->confirmed = scan->found;
}

/* The first step, over connection_open_bytes. */
SEC("iter/bpf_map_elem")
int connection_scan_known(struct bpf_iter__bpf_map_elem *ctx)
{
	const struct open_bytes *known = ctx->value;
	const __u64 *number = ctx->key;
	struct scan *scan = scan_under_way();
	struct open_bytes *l;
	struct tcp_sock *tp;
	__u64 key;

	if (!known || !number || !scan)
		return 0;
	tp = (struct tcp_sock *)known->socket;
	if (known->settled && BPF_CORE_READ(tp, bytes_received) == known->taken &&
	    BPF_CORE_READ(tp, bytes_acked) == known->acked) {
		scan->open++;
		return 0;
	}
	key = *number;
	l = bpf_map_lookup_elem(&connection_open_bytes, &key);
	if (l)
		scan_again(scan, l, key);
	return 0;
}

/* The second step, over connection_storage: sockets that found their slot taken. */
SEC("iter/bpf_sk_storage_map")
int connection_scan_stored(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct connection *c = ctx->value;
	struct sock *sk = ctx->sk;
	struct scan *scan;
	struct socket_state *s;

	if (!sk || !c || !is_new_to_scans(c))
		return 0;
	scan = scan_under_way();
	s = find_state(sk);
	if (scan && s && is_open(sk->__sk_common.skc_state))
		scan_first(sk, sk->__sk_common.skc_cookie.counter, s->role, c, scan);
	return 0;
}

/* Not static, and with a number only: so the verifier follows it once, and not for each slot of a row. */
__noinline int scan_slot(__u32 index)
{
	struct socket_slot *slot = bpf_map_lookup_elem(&ebpf_socket_slots, &index);
	struct scan *scan = scan_under_way();
	struct connection *c;
	struct sock *sk;
	__u64 *kept;

	if (!slot || !scan)
		return 0;
	c = (struct connection *)slot->connection;
	if (!is_new_to_scans(c) || slot->state.closed)
		return 0;
	kept = socket_of_slot(index);
	if (!kept || !*kept)
		return 0;
	sk = (struct sock *)*kept;
	if (is_open(BPF_CORE_READ(sk, __sk_common.skc_state)) &&
	    (__u64)BPF_CORE_READ(sk, __sk_common.skc_cookie.counter) == slot->slot.key)
		scan_first(sk, slot->slot.key, slot->state.role, c, scan);
	return 0;
}

/* The last step, over connection_socket_rows. */
SEC("iter/bpf_map_elem")
int connection_scan_slots(struct bpf_iter__bpf_map_elem *ctx)
{
	const __u32 *row = ctx->key;
	__u32 first;

	if (!row) {
		confirm_new();
		return 0;
	}
	first = *row * SOCKETS_OF_ROW;
	for (__u32 i = 0; i < SOCKETS_OF_ROW; i++)
		scan_slot(first + i);
	return 0;
}

/* The only step where states are kept by address. */
SEC("iter/task_file")
int connection_scan_open(struct bpf_iter__task_file *ctx)
{
	struct sock *sk = ctx->task ? socket_of_file(ctx->file) : NULL;
	struct scan *scan = scan_under_way();
	struct socket_state *s;
	struct connection *c;
	struct open_bytes *l;
	__u64 key;

	if (!sk || !scan || READ(by_address, sk, sk_protocol) != IPPROTO_TCP ||
	    !is_open(READ(by_address, sk, __sk_common.skc_state)))
		return 0;
	s = stored_state(sk);
	c = s ? connection_part(sk) : NULL;
	if (!c)
		return 0;
	key = address_of(sk);
	l = bpf_map_lookup_elem(&connection_open_bytes, &key);
	/* The entry may be left over from an earlier socket, and is replaced. */
	if (l && (l->closed || c->flags & CONNECTION_SCANNED))
		scan_again(scan, l, key);
	else if (is_new_to_scans(c))
		scan_first(sk, key, s->role, c, scan);
	return 0;
}
