/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * TCP's own account of a connection: what its sender waited for. tcp_get_info_chrono_stats() reads it in the same way for TCP_INFO.
 * Times are in jiffies. The kernel does not export their rate (HZ), so user space computes it from two records.
 */
#pragma once

#include "counts.h"

/* enum tcp_chrono */
enum { TCP_CHRONO_BUSY = 1, TCP_CHRONO_RWND_LIMITED, TCP_CHRONO_SNDBUF_LIMITED };

/*
 * How often a peer has closed its receive window, by the cookie of the socket. The kernel has no such counter of a socket, only of a
 * namespace. But it probes a window that stays closed for a time-out, which is 200 ms or more, and only this is hooked: what TCP does
 * with a segment costs nothing more.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, __u32);
} connection_zero_windows SEC(".maps");

SEC("fentry/tcp_send_probe0")
int BPF_PROG(connection_probe, struct sock *sk)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	__u32 once = 1, *times;
	__u64 cookie;

	/* An answer that opens the window sets the backoff to 0, one that does not keeps it. */
	if (!tp || tp->snd_wnd || tp->inet_conn.icsk_backoff)
		return 0;
	cookie = sk->__sk_common.skc_cookie.counter;
	if (!cookie)
		return 0;
	times = bpf_map_lookup_elem(&connection_zero_windows, &cookie);
	if (times)
		__sync_fetch_and_add(times, 1);
	else
		bpf_map_update_elem(&connection_zero_windows, &cookie, &once, BPF_ANY);
	return 0;
}

/* Returns how often, and forgets it. */
static __always_inline __u32 take_zero_windows(__u64 cookie)
{
	__u32 *times = bpf_map_lookup_elem(&connection_zero_windows, &cookie), taken;

	if (!times)
		return 0;
	taken = *times;
	bpf_map_delete_elem(&connection_zero_windows, &cookie);
	return taken;
}

static __always_inline void read_account(struct account *a, struct tcp_sock *tp, __u64 cookie)
{
	struct inet_connection_sock *icsk = &tp->inet_conn;
	__u32 running = BPF_CORE_READ_BITFIELD_PROBED(tp, chrono_type);

	a->jiffies = bpf_jiffies64();
	a->busy = tp->chrono_stat[0];
	a->window_limited = tp->chrono_stat[1];
	a->buffer_limited = tp->chrono_stat[2];
	if (running) {
		__u32 since = (__u32)a->jiffies - tp->chrono_start;

		a->busy += running == TCP_CHRONO_BUSY ? since : 0;
		a->window_limited += running == TCP_CHRONO_RWND_LIMITED ? since : 0;
		a->buffer_limited += running == TCP_CHRONO_SNDBUF_LIMITED ? since : 0;
	}
	a->busy += a->window_limited + a->buffer_limited;
	a->out_of_order = tp->rcv_ooopack;
	a->duplicates = tp->dsack_dups;
	/* Who was not limited by the window has not found it closed. */
	a->zero_windows = a->window_limited ? take_zero_windows(cookie) : 0;
	a->congestion = BPF_CORE_READ_BITFIELD_PROBED(icsk, icsk_ca_state);
	__builtin_memset(a->pad, 0, sizeof(a->pad));
}
