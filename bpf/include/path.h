/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Paths of files, from the root of the mount namespace on. */
#pragma once

#include "kernel.h"

#define PATH_ROOM 512
#define NAME_SIZE 256 /* NAME_MAX and its end */
#define PATH_SIZE (PATH_ROOM + NAME_SIZE)
#define PATH_STEPS 40 /* names and mounts */

/*
 * Reads the names that a path is made of, the last one first, each with a zero behind it, and sets the bytes that they
 * take; 0 if there is no room for all of them. Paths of up to 512 bytes have it. The length is kept in the record, where
 * the verifier takes it for any number: so all ways through a step look alike to it, and it follows only one.
 */
static __always_inline void read_path(char *names, volatile __u32 *length, const struct path *path)
{
	struct dentry *dentry = BPF_CORE_READ(path, dentry);
	struct mount *mount = (void *)BPF_CORE_READ(path, mnt) - bpf_core_field_offset(struct mount, mnt);

	*length = 0;
	for (int i = 0; i < PATH_STEPS; i++) {
		struct dentry *parent;
		__u64 at = *length;
		long n;

		if (dentry == BPF_CORE_READ(mount, mnt.mnt_root)) {
			struct mount *below = BPF_CORE_READ(mount, mnt_parent);

			if (below == mount)
				return;
			dentry = BPF_CORE_READ(mount, mnt_mountpoint);
			mount = below;
			continue;
		}
		if (at >= PATH_ROOM)
			break;
		/* The verifier does not see the bound through what the compiler makes of it. */
		barrier_var(at);
		n = bpf_probe_read_kernel_str(names + (at & (PATH_ROOM - 1)), NAME_SIZE, BPF_CORE_READ(dentry, d_name.name));
		if (n <= 0)
			break;
		*length += n;
		parent = BPF_CORE_READ(dentry, d_parent);
		if (parent == dentry)
			return; /* in no directory: memfd */
		dentry = parent;
	}
	*length = 0;
}
