/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* What the walkers of paths share. */
#pragma once

#include "kernel.h"

#define NAME_SIZE 256 /* NAME_MAX and the zero behind it */

struct step {
	struct dentry *dentry;
	struct mount *mount;
};

static __always_inline struct mount *mount_of(struct vfsmount *vfsmount)
{
	return (void *)vfsmount - bpf_core_field_offset(struct mount, mnt);
}

/* What a step of a walk to the root has found. */
enum walk {
	WALK_NAME,  /* the dentry is a name of the path */
	WALK_MOUNT, /* it was the root of a mount: the walk goes on below that */
	WALK_ROOT,  /* there is nothing above it */
};

/* The fields of a struct step are copied before BPF_CORE_READ, which would look for them in the kernel. */
static __always_inline enum walk leave_mount(struct step *s)
{
	struct mount *mount = s->mount, *below;

	if (s->dentry != BPF_CORE_READ(mount, mnt.mnt_root))
		return WALK_NAME;
	below = BPF_CORE_READ(mount, mnt_parent);
	if (below == mount)
		return WALK_ROOT;
	s->dentry = BPF_CORE_READ(mount, mnt_mountpoint);
	s->mount = below;
	return WALK_MOUNT;
}

/* Goes to the directory of the dentry. Returns false if it is in none, such as that of a memfd. */
static __always_inline bool leave_directory(struct step *s)
{
	struct dentry *dentry = s->dentry, *parent = BPF_CORE_READ(dentry, d_parent);

	if (parent == dentry)
		return false;
	s->dentry = parent;
	return true;
}

/* Reads the name at a step with the zero behind it. Returns the bytes that it takes, or an error. */
static __always_inline long read_name(char *to, struct dentry *dentry)
{
	return bpf_probe_read_kernel_str(to, NAME_SIZE, BPF_CORE_READ(dentry, d_name.name));
}
