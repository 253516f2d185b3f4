/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* From the descriptors of a process to its files. */
#pragma once

#include "kernel.h"

/* The file of a descriptor; NULL if there is none. */
static __always_inline struct file *file_of_fd(struct task_struct *task, __u32 fd)
{
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct file *file = NULL;

	if (fd < BPF_CORE_READ(table, max_fds))
		bpf_probe_read_kernel(&file, sizeof(file), BPF_CORE_READ(table, fd) + fd);
	return file;
}

/* The type bits of what a file is: S_IFREG and so on. */
static __always_inline __u32 type_of_file(struct file *file)
{
	return BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT;
}

/* The struct sock behind a file that is a socket. */
static __always_inline struct sock *sock_of_file_probe(struct file *file)
{
	struct socket *sock = BPF_CORE_READ(file, private_data);

	return BPF_CORE_READ(sock, sk);
}
