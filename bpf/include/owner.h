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
	__be16 peer_port; /* of the last datagram sent */
	__u32 pad;
	struct address peer;
};

/*
 * Filled in process context (connect, listen, socket), read in softirq. The kernel copies it from a listener to each
 * connection that the listener accepts, and frees it with the socket.
 */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct socket_state);
} sockets SEC(".maps");

struct listener {
	__u32 netns;
	__u32 port; /* host byte order */
};

/* Owners of the listeners that are older than the receiver and have no state of their own to inherit. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct listener);
	__type(value, struct owner);
} older_listeners SEC(".maps");

/* Leaves the owner unknown for kernel threads: what they do is on somebody else's behalf. */
static __always_inline void read_owner(struct owner *o, struct task_struct *task)
{
	struct file *exe;
	struct mm_struct *mm;

	/* All of it, because the names are compared as a whole, and may be shorter than those of an owner before. */
	__builtin_memset(o, 0, sizeof(*o));
	if (task->flags & PF_KTHREAD)
		return;
	o->uid = task->cred->euid.val;
	o->cgroup = task->cgroups->dfl_cgrp->kn->id;
	bpf_probe_read_kernel_str(o->comm, sizeof(o->comm), task->comm);
	mm = task->mm;
	if (mm) {
		exe = mm->exe_file;
		if (exe)
			bpf_probe_read_kernel_str(o->executable, sizeof(o->executable),
						  exe->f_path.dentry->d_name.name);
	}
	o->pid = task->tgid;
}

static __always_inline __u64 socket_cgroup(const struct sock *sk)
{
	__u64 id = sk->sk_cgrp_data.cgroup->kn->id;

	/* Keeps the load apart from others: the verifier wants one kind of pointer at each. */
	barrier_var(id);
	return id;
}
