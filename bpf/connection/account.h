/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * TCP's own account of a connection: what its sender waited for. tcp_get_info_chrono_stats() reads it in the same way for TCP_INFO. It
 * is in jiffies, whose rate the kernel does not tell; user space finds it by two records.
 */
#pragma once

#include "counts.h"

/* enum tcp_chrono */
enum { TCP_CHRONO_BUSY = 1, TCP_CHRONO_RWND_LIMITED, TCP_CHRONO_SNDBUF_LIMITED };

static __always_inline void read_account(struct account *a, struct tcp_sock *tp)
{
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
}
