/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Processes, and which of them owns a socket. */
#pragma once

#include "kernel.h"

struct owner {
	__u32 pid; /* tgid in the initial pid namespace; 0: not known */
	__u32 uid; /* effective user id */
	__u64 cgroup;
	char comm[16];
	char executable[48]; /* base name */
};

/* How the owner in a record was found: ebpf.attribution. */
enum attribution {
	ATTRIBUTION_NONE,
	ATTRIBUTION_SOCKET,
	ATTRIBUTION_RECEIVING_SOCKET,
	ATTRIBUTION_CGROUP,
	ATTRIBUTION_CURRENT,
};

enum role {
	ROLE_UNKNOWN,
	ROLE_CLIENT,
	ROLE_SERVER,
};

enum socket_flags {
	SOCKET_OPENED = 1 << 0,   /* counted as an active connection */
	SOCKET_EXCLUDED = 1 << 1, /* the configuration leaves it out */
};

/* A peer address; IPv4 is held as a v4-mapped address. */
struct address {
	__u8 octets[16];
};

struct socket_state {
	struct owner owner;
	__u64 since; /* ns: of connect(), then of the establishment; 0: older than the receiver */
	__u8 role;
	__u8 flags;
	__be16 peer_port;  /* of the last datagram sent */
	__u32 rtt_sampled; /* µs: when the round-trip time was last looked at, in the lower half of TCP's clock; 0: never */
	struct address peer;
};

#include "older.h"

#define SOCKET_SLOTS 32768

/*
 * The states of TCP sockets, in the slot that the socket's cookie, a running number, points to. A slot belongs to who
 * brings its claims from 0 to 1: others, and two who try at the same time, go to the storage below. That needs no lock
 * and no allocation, and costs a tenth of socket storage, whose allocations are charged to the collector's memory cgroup
 * while all around is charged to the workload's.
 */
struct socket_slot {
	__u64 claims;
	__u64 cookie;
	__u64 closed; /* the cookie of the socket that the state is left over from */
	struct socket_state state;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SOCKET_SLOTS);
	__type(key, __u32);
	__type(value, struct socket_slot);
} socket_slots SEC(".maps");

/*
 * The same for what is no TCP socket, for what finds its slot taken, and for listeners that share their port: the kernel
 * frees it with the socket, and copies it from a listener to each connection that the listener accepts.
 */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct socket_state);
} socket_storage SEC(".maps");

struct port {
	__u32 netns;
	__u16 number; /* host byte order */
	__u16 family;
};

struct listener {
	struct owner owner;
	__u64 socket; /* the address of its struct sock; 0 for an MPTCP socket, whose TCP socket can't be reached */
};

/* The first listener on each port: the owner of the connections that no copy of a listener's storage came with. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct port);
	__type(value, struct listener);
} listeners SEC(".maps");

static __always_inline struct port port_of(const struct sock *sk)
{
	struct port p = {
		.netns = sk->__sk_common.skc_net.net->ns.inum,
		.number = sk->__sk_common.skc_num,
		.family = sk->__sk_common.skc_family,
	};

	return p;
}

static __always_inline struct socket_slot *slot_of(__u64 cookie)
{
	__u32 index = cookie % SOCKET_SLOTS;

	return bpf_map_lookup_elem(&socket_slots, &index);
}

/* What is stored of a socket, given by a pointer of any kind that has it; made, with nothing in it, if need be. */
static __always_inline struct socket_state *storage_of(void *sk)
{
	if (by_address)
		return state_by_address(address_of(sk), true);
	return bpf_sk_storage_get(&socket_storage, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
}

static __always_inline struct socket_state *stored_state(struct sock *sk)
{
	if (by_address)
		return state_by_address(address_of(sk), false);
	/* Most sockets have no storage; to look is cheaper than to ask. */
	if (!sk->sk_bpf_storage)
		return NULL;
	return bpf_sk_storage_get(&socket_storage, sk, NULL, 0);
}

static __always_inline struct socket_state *find_state(struct sock *sk)
{
	__u64 cookie = sk->__sk_common.skc_cookie.counter;
	struct socket_slot *slot;

	if (cookie) {
		slot = slot_of(cookie);
		if (slot && slot->cookie == cookie)
			return &slot->state;
	}
	return stored_state(sk);
}

/* An empty state for a TCP socket, in place of what there may be; NULL, which the caller counts, when there is no room. */
static __always_inline struct socket_state *new_state(struct sock *sk)
{
	__u64 cookie = number_socket(sk);
	struct socket_slot *slot = by_address ? NULL : slot_of(cookie);
	struct socket_state *s = NULL;

	if (slot && slot->cookie == cookie) {
		s = &slot->state;
	} else if (slot && !slot->claims) {
		__sync_fetch_and_add(&slot->claims, 1);
		if (slot->claims == 1) {
			slot->closed = 0;
			slot->cookie = cookie;
			s = &slot->state;
		} else {
			__sync_fetch_and_add(&slot->claims, -1);
		}
	}
	if (!s)
		s = storage_of(sk);
	if (s)
		__builtin_memset(s, 0, sizeof(*s));
	return s;
}

/* The state that a closed socket has left in its slot, until another one takes that. */
static __always_inline struct socket_state *left_state(__u64 cookie)
{
	struct socket_slot *slot = slot_of(cookie);

	return cookie && slot && slot->closed == cookie ? &slot->state : NULL;
}

/* Gives a closed socket's slot back; its storage goes with the socket. */
static __always_inline void delete_state(struct sock *sk)
{
	__u64 cookie = sk->__sk_common.skc_cookie.counter;
	struct socket_slot *slot = slot_of(cookie);

	if (by_address) {
		__u64 address = address_of(sk);

		bpf_map_delete_elem(&sockets_by_address, &address);
	} else if (cookie && slot && slot->cookie == cookie) {
		slot->closed = cookie;
		slot->cookie = 0;
		__sync_fetch_and_add(&slot->claims, -1);
	}
}

/* Leaves the owner unknown for kernel threads: what they do is on somebody else's behalf. */
static __always_inline void read_owner(struct owner *o, struct task_struct *task)
{
	struct file *exe;
	struct mm_struct *mm;

	/* All of it, because the names are compared as a whole, and may be shorter than those of an owner before. */
	__builtin_memset(o, 0, sizeof(*o));
	if (by_address) {
		read_owner_slowly(o, task);
		return;
	}
	if (task->flags & PF_KTHREAD)
		return;
	o->pid = task->tgid;
	o->uid = task->cred->euid.val;
	o->cgroup = task->cgroups->dfl_cgrp->kn->id;
	if (!read_names)
		return;
#pragma unroll
	for (__u32 i = 0; i < sizeof(o->comm); i++)
		o->comm[i] = task->comm[i];
	mm = task->mm;
	if (!mm)
		return;
	exe = mm->exe_file;
	if (exe)
		bpf_probe_read_kernel_str(o->executable, sizeof(o->executable), exe->f_path.dentry->d_name.name);
}

static __always_inline __u64 socket_cgroup(const struct sock *sk)
{
	__u64 id;

	if (!bpf_core_field_exists(sk->sk_cgrp_data.cgroup))
		return socket_cgroup_slowly(sk);
	id = sk->sk_cgrp_data.cgroup->kn->id;
	/* Keeps the load apart from others: the verifier wants one kind of pointer at each. */
	barrier_var(id);
	return id;
}

/* The owner of a socket of any kind, NULL if it has none that is known. */
static __always_inline const struct owner *find_owner(struct sock *sk)
{
	struct socket_state *s = find_state(sk);
	struct listener *l;
	struct port port;

	if (s)
		return &s->owner;
	if (sk->__sk_common.skc_state != TCP_LISTEN)
		return NULL;
	port = port_of(sk);
	l = bpf_map_lookup_elem(&listeners, &port);
	return l ? &l->owner : NULL;
}
