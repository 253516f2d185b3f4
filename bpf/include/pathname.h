/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Paths of files as text, from the root of the mount namespace on: of a file that the kernel has found, or of a directory
 * with the name behind it that a process has given.
 */
#pragma once

#include "older.h"

#define PATH_NAMES 128 /* names and mounts that are looked at */
#define PATH_MAX 4096
#define NAME_SIZE 256 /* NAME_MAX and its end */

enum { AT_FDCWD = -100 };

struct pathname {
	__u64 names[PATH_NAMES]; /* dentries, the last one first */
	__u32 count;             /* of them */
	__u32 below_root;        /* how many of them are below the root of the process; ~0: it was not met */
	__u32 root;              /* bytes of the text that are the path of that root */
	__u32 base;              /* bytes that are the path of a directory; what is behind them is as the process gave it */
	__u32 length;            /* bytes of the text; 0: the path is not known */
	__u32 prefix_length;     /* with the text, a key of a trie */
	char text[2 * PATH_MAX];
};

/*
 * Finds the names that a path is made of; false if there are too many. The numbers are kept in memory, where the verifier
 * takes them for any: so all ways through a step look alike to it, and it follows only one.
 */
static __always_inline bool find_names(struct pathname *p, struct dentry *dentry, struct vfsmount *vfsmount, const struct path *root)
{
	struct mount *mount = (void *)vfsmount - bpf_core_field_offset(struct mount, mnt);
	struct dentry *root_dentry = NULL;
	struct vfsmount *root_mount = NULL;

	if (root) {
		root_dentry = BPF_CORE_READ(root, dentry);
		root_mount = BPF_CORE_READ(root, mnt);
	}
	p->count = 0;
	p->below_root = ~0U;
	for (int i = 0; i < PATH_NAMES; i++) {
		volatile __u32 *count = &p->count;
		struct dentry *parent;
		__u32 at = *count;

		if (dentry == root_dentry && (void *)mount + bpf_core_field_offset(struct mount, mnt) == (void *)root_mount)
			p->below_root = at;
		if (dentry == BPF_CORE_READ(mount, mnt.mnt_root)) {
			struct mount *below = BPF_CORE_READ(mount, mnt_parent);

			if (below == mount)
				return true;
			dentry = BPF_CORE_READ(mount, mnt_mountpoint);
			mount = below;
			continue;
		}
		barrier_var(at);
		p->names[at & (PATH_NAMES - 1)] = (__u64)dentry;
		*count = at + 1;
		parent = BPF_CORE_READ(dentry, d_parent);
		if (parent == dentry)
			return true; /* in no directory: memfd */
		dentry = parent;
	}
	return false;
}

/* Writes the names from the first one on; false if there is no room for all of them. */
static __always_inline bool write_names(struct pathname *p)
{
	volatile __u32 *length = &p->length, *count = &p->count;

	p->root = 0;
	*length = 0;
	for (int i = 0; i < PATH_NAMES; i++) {
		__u32 left = *count;
		__u32 at = *length;
		struct dentry *dentry;
		long n;

		if (left == p->below_root)
			p->root = at;
		if (!left)
			return true;
		if (at >= PATH_MAX - NAME_SIZE)
			return false;
		left--;
		*count = left;
		barrier_var(left);
		barrier_var(at);
		at &= PATH_MAX - 1;
		dentry = (struct dentry *)p->names[left & (PATH_NAMES - 1)];
		p->text[at] = '/';
		n = bpf_probe_read_kernel_str(p->text + at + 1, NAME_SIZE, BPF_CORE_READ(dentry, d_name.name));
		if (n <= 0)
			return false;
		*length = at + n; /* which counts the end, but not the slash */
	}
	return false;
}

/* The path of what the kernel has found. */
static __always_inline void read_found(struct pathname *p, struct dentry *dentry, struct vfsmount *mount)
{
	if (!find_names(p, dentry, mount, NULL) || !write_names(p)) {
		p->length = 0;
		return;
	}
	if (!p->length) {
		p->text[0] = '/';
		p->text[1] = 0;
		p->length = 1;
	}
	p->base = p->length;
}

/* The file behind a descriptor of the current process; NULL if there is none. */
static __always_inline struct file *file_of(struct task_struct *task, __u32 fd)
{
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct file *file = NULL;

	if (fd < BPF_CORE_READ(table, max_fds))
		bpf_probe_read_kernel(&file, sizeof(file), BPF_CORE_READ(table, fd) + fd);
	return file;
}

static __always_inline long read_text(void *to, __u32 size, const char *from, bool user)
{
	return user ? bpf_probe_read_user_str(to, size, from) : bpf_probe_read_kernel_str(to, size, from);
}

/* The path of a name that the current process has given, below the directory behind a descriptor. */
static __always_inline void read_named(struct pathname *p, __u32 dirfd, const char *name, bool user)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct fs_struct *fs = BPF_CORE_READ(task, fs);
	const struct path *root = &fs->root, *base;
	char first[2] = {};
	__u32 at;
	long n;

	p->length = 0;
	if (read_text(first, sizeof(first), name, user) < 0)
		return;
	if (first[0] == '/') {
		base = root;
	} else if (dirfd == (__u32)AT_FDCWD) {
		base = &fs->pwd;
	} else {
		struct file *file = file_of(task, dirfd);

		if (!file)
			return;
		base = &file->f_path;
	}
	if (!find_names(p, BPF_CORE_READ(base, dentry), BPF_CORE_READ(base, mnt), root) || !write_names(p)) {
		p->length = 0;
		return;
	}
	at = p->length;
	p->base = at;
	barrier_var(at);
	at &= PATH_MAX - 1;
	if (first[0] != '/')
		p->text[at++] = '/';
	n = read_text(p->text + at, PATH_MAX - 1, name, user);
	p->length = n > 0 ? at + n - 1 : 0;
}
