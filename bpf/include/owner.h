/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Processes as records and maps have them. */
#pragma once

#include "compat_5_10.h"

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

/* Whether names are read, which costs more than the rest. They are not needed where only metrics are wanted. */
const volatile bool read_names;

static __always_inline __u32 read_user(struct task_struct *task, bool probe)
{
	return READ(probe, task, cred, euid.val);
}

static __always_inline void read_comm(struct owner *o, struct task_struct *task, bool probe)
{
	if (probe) {
		BPF_CORE_READ_STR_INTO(&o->comm, task, comm);
		return;
	}
#pragma unroll
	for (__u32 i = 0; i < sizeof(o->comm); i++)
		o->comm[i] = task->comm[i];
}

static __always_inline void read_owner_by(struct owner *o, struct task_struct *task, bool probe)
{
	struct task_struct *walked;
	struct mm_struct *mm;
	struct file *exe;

	/* All of it: names are compared as a whole, and may be shorter than those that were here before. */
	__builtin_memset(o, 0, sizeof(*o));
	if (READ(probe, task, flags) & PF_KTHREAD)
		return;
	walked = probe ? task : UNTRUSTED(task);
	o->pid = READ(probe, task, tgid);
	o->uid = read_user(walked, probe);
	o->cgroup = READ(probe, walked, cgroups, dfl_cgrp, kn, id);
	if (!read_names)
		return;
	read_comm(o, task, probe);
	mm = READ(probe, walked, mm);
	if (!mm)
		return;
	exe = READ(probe, mm, exe_file);
	if (exe)
		bpf_probe_read_kernel_str(o->executable, sizeof(o->executable), READ(probe, exe, f_path.dentry, d_name.name));
}

/* Reads a process. The owner stays unknown for kernel threads: they work on behalf of others. */
static __always_inline void read_owner(struct owner *o, struct task_struct *task)
{
	read_owner_by(o, task, by_address);
}

/* The same for an address of a task that the verifier does not know as a pointer to one. */
static __always_inline void read_owner_probe(struct owner *o, struct task_struct *task)
{
	read_owner_by(o, task, true);
}
