/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * What takes the place of storage in sockets on kernels before 5.12, which let neither all programs have that nor number
 * sockets, and give no pointer to the current task that can be followed. On newer ones the verifier leaves this out.
 */
#pragma once

#include "kernel.h"

const volatile bool by_address;

/* The states of sockets of all kinds, by the address of the struct sock: those that were used least go when it is full. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, struct socket_state);
} sockets_by_address SEC(".maps");

/* The address that is in a pointer of any kind. */
static __always_inline __u64 address_of(const void *p)
{
	__u64 address = 0;

	bpf_probe_read_kernel(&address, sizeof(address), &p);
	return address;
}

static __always_inline struct socket_state *state_by_address(__u64 address, bool create)
{
	static const struct socket_state none;
	struct socket_state *s = bpf_map_lookup_elem(&sockets_by_address, &address);

	if (s || !create)
		return s;
	bpf_map_update_elem(&sockets_by_address, &address, &none, BPF_NOEXIST);
	return bpf_map_lookup_elem(&sockets_by_address, &address);
}

static __always_inline struct task_struct *current_task(void)
{
	if (by_address)
		return (struct task_struct *)bpf_get_current_task();
	return bpf_get_current_task_btf();
}

/* Has the kernel number a socket, where that can be asked for here. */
static __always_inline __u64 number_socket(struct sock *sk)
{
	return by_address ? 0 : bpf_get_socket_cookie(sk);
}

/* Whether names are read, which costs more than the rest: nobody sees them where only metrics are wanted. */
const volatile bool read_names;

/* As read_owner, of a task whose fields can't be read in place. */
static __always_inline void read_owner_slowly(struct owner *o, struct task_struct *task)
{
	if (BPF_CORE_READ(task, flags) & PF_KTHREAD)
		return;
	o->pid = BPF_CORE_READ(task, tgid);
	o->uid = BPF_CORE_READ(task, cred, euid.val);
	o->cgroup = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
	if (!read_names)
		return;
	BPF_CORE_READ_STR_INTO(&o->comm, task, comm);
	bpf_probe_read_kernel_str(o->executable, sizeof(o->executable), BPF_CORE_READ(task, mm, exe_file, f_path.dentry, d_name.name));
}

static __always_inline __u64 socket_cgroup_slowly(const struct sock *sk)
{
	struct cgroup *cgroup = (struct cgroup *)(BPF_CORE_READ((struct sock___before *)sk, sk_cgrp_data.val) & ~3ULL);

	/* None is the root. */
	return cgroup ? BPF_CORE_READ(cgroup, kn, id) : 1;
}
