/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * TCP listeners and the overflows of their accept queues. When a SYN finds the queue full, the kernel frees it without a drop
 * reason. It only increments two counters: the listener's drops (sk_drops), which have other causes, too, and the overflows of the
 * network namespace (ListenOverflows). Both are read at each collection and when a listener is closed. No packet costs anything.
 */
#pragma once

#include "filter.h"
#include "life.h"
#include "record.h"
#include "sockets.h"

struct listening {
	struct owner owner;
	struct life life;
	__u8 pad[2];
	struct address address; /* local */
	struct port port;
	__u64 socket;          /* address of its struct sock */
	__u64 since;           /* ns; with the socket, it identifies the listener; 0: the entry is not complete yet */
	__u64 first_overflows; /* of the network namespace, when the listener was found */
	__u64 overflows;       /* of the network namespace, when drops last changed */
	__u32 first_drops;     /* sk_drops when the listener was found */
	__u32 drops;           /* sk_drops at the last reading */
	__u32 reported;        /* overflows that were reported as drops of packets */
	__u32 backlog;         /* connections in the accept queue */
	__u32 limit;           /* of the queue; the kernel admits one more */
	__u32 gone;            /* not 0: the listener was closed */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64); /* address of the struct sock */
	__type(value, struct listening);
} ebpf_listening SEC(".maps");

/* Closed listeners with drops, until user space has read them. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64); /* since */
	__type(value, struct listening);
} ebpf_listened SEC(".maps");

/* The offset of each CPU's copy of a per-CPU variable. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} ebpf_cpu_offsets SEC(".maps");

#define MAX_CPUS 512

const volatile __u32 possible_cpus = MAX_CPUS; /* the verifier follows the loop over them that often */

const volatile __u32 overflow_counter; /* the index of ListenOverflows; 0: not known */

/* The overflows in a network namespace, over all CPUs. __noinline: the verifier checks the loop once. */
__noinline __u64 count_overflows(__u64 net)
{
	const char *counters;
	__u64 sum = 0;

	if (!overflow_counter)
		return 0;
	counters = (const char *)BPF_CORE_READ((struct net *)net, mib.net_statistics);
	for (__u32 i = 0; i < MAX_CPUS && i < possible_cpus; i++) {
		__u32 cpu = i;
		__u64 *offset = bpf_map_lookup_elem(&ebpf_cpu_offsets, &cpu);
		unsigned long n = 0;

		if (!offset)
			break;
		if (!*offset)
			continue;
		bpf_probe_read_kernel(&n, sizeof(n), counters + *offset + overflow_counter * sizeof(n));
		sum += n;
	}
	return sum;
}

static __always_inline __u32 drops_of(const struct sock *sk)
{
	return BPF_CORE_READ(sk, sk_drops.counter);
}

static __always_inline __u64 overflows_of(const struct sock *sk)
{
	return count_overflows((__u64)BPF_CORE_READ(sk, __sk_common.skc_net.net));
}

/* Reads the counters of a listener. */
static __always_inline void update_listening(struct listening *l, const struct sock *sk)
{
	__u32 drops = drops_of(sk);

	/* The kernel counts an overflow before the drop. In this order, each drop that is read has its overflow. */
	if (drops != l->drops) {
		l->overflows = overflows_of(sk);
		l->drops = drops;
	}
}

/* LISTEN → CLOSE. */
static __always_inline void remove_listening(struct sock *sk)
{
	__u64 key = address_of(sk), since;
	struct listening *l = bpf_map_lookup_elem(&ebpf_listening, &key);

	if (!l)
		return;
	update_listening(l, (struct sock *)key);
	if (l->drops != l->first_drops) {
		since = l->since;
		l->gone = 1;
		l->backlog = 0;
		if (bpf_map_update_elem(&ebpf_listened, &since, l, BPF_ANY))
			count_loss(LOSS_MAP_FULL);
	}
	bpf_map_delete_elem(&ebpf_listening, &key);
}

/* The result of an update. */
enum listening_fate {
	LISTENING_EXISTS,
	LISTENING_GONE,     /* its end was missed; another socket may have its address now */
	LISTENING_EXCLUDED, /* by the configuration */
};

/* Updates a listener, given by the address of its socket. */
static __always_inline enum listening_fate refresh_listening(__u64 key)
{
	struct listening *l = bpf_map_lookup_elem(&ebpf_listening, &key);
	struct sock *sk = (struct sock *)key;
	struct flow flow = {};

	if (!l || !l->since)
		return LISTENING_EXCLUDED; /* it is being removed or added */
	if (BPF_CORE_READ(sk, __sk_common.skc_state) != TCP_LISTEN || BPF_CORE_READ(sk, __sk_common.skc_num) != l->port.number ||
	    BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum) != l->port.netns)
		return LISTENING_GONE;
	update_listening(l, sk);
	l->backlog = BPF_CORE_READ(sk, sk_ack_backlog);
	l->limit = BPF_CORE_READ(sk, sk_max_ack_backlog);
	if (is_gone(&l->owner, &l->life))
		__builtin_memset(&l->owner, 0, sizeof(l->owner));
	update_user(&l->owner, &l->life);
	flow.local = l->address;
	flow.local_port = l->port.number;
	if (is_excluded_process(&l->owner) || is_excluded_flow(&flow))
		return LISTENING_EXCLUDED;
	return LISTENING_EXISTS;
}
