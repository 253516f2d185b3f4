/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The path of a file as text from the root of its mount namespace, in two passes: of a file that the kernel has found, or of a
 * directory with the name behind it that a process has given. See also path_reversed.h, which is cheaper and has less room.
 */
#pragma once

#include "fd.h"
#include "walk.h"

#define PATH_STEPS 128 /* names and mounts */
#define PATH_MAX 4096

enum { AT_FDCWD = -100 };

struct pathname {
	__u64 names[PATH_STEPS]; /* dentries, the last one first */
	__u32 count;             /* of names */
	__u32 below_root;        /* how many of them are below the root of the process; ~0: that was not met */
	__u32 root;              /* bytes of the text that are the path of that root */
	__u32 base;              /* bytes that are the path of a directory; the rest is as the process gave it */
	__u32 length;            /* bytes of the text; 0: the path is not known */
	__u32 prefix_length;     /* together with the text, a key of a trie */
	char text[2 * PATH_MAX];
};

/*
 * Finds the names of a path; false if there are too many. The numbers are in memory, where the verifier takes them for any: all
 * ways through a step look the same to it, and it follows only one.
 */
static __always_inline bool find_names(struct pathname *p, struct dentry *dentry, struct vfsmount *vfsmount,
				       const struct path *root)
{
	struct step step = {.dentry = dentry, .mount = mount_of(vfsmount)};
	struct dentry *root_dentry = NULL;
	struct mount *root_mount = NULL;

	if (root) {
		root_dentry = BPF_CORE_READ(root, dentry);
		root_mount = mount_of(BPF_CORE_READ(root, mnt));
	}
	p->count = 0;
	p->below_root = ~0U;
	for (int i = 0; i < PATH_STEPS; i++) {
		volatile __u32 *count = &p->count;
		__u32 at = *count;
		enum walk walk;

		if (step.dentry == root_dentry && step.mount == root_mount)
			p->below_root = at;
		walk = leave_mount(&step);
		if (walk == WALK_ROOT)
			return true;
		if (walk == WALK_MOUNT)
			continue;
		barrier_var(at);
		p->names[at & (PATH_STEPS - 1)] = (__u64)step.dentry;
		*count = at + 1;
		if (!leave_directory(&step))
			return true;
	}
	return false;
}

/* Writes the names from the first one on; false if there is no room for all of them. */
static __always_inline bool write_names(struct pathname *p)
{
	volatile __u32 *length = &p->length, *count = &p->count;

	p->root = 0;
	*length = 0;
	for (int i = 0; i < PATH_STEPS; i++) {
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
		dentry = (struct dentry *)p->names[left & (PATH_STEPS - 1)];
		p->text[at] = '/';
		n = read_name(p->text + at + 1, dentry);
		if (n <= 0)
			return false;
		*length = at + n; /* n counts the zero at the end, but not the slash */
	}
	return false;
}

/* The buffer has the path of an earlier file, so all numbers have to go: user space refuses a base or root beyond the length. */
static __always_inline void forget_path(struct pathname *p)
{
	p->root = 0;
	p->base = 0;
	p->length = 0;
}

/* The path of a file that the kernel has found. */
static __always_inline void read_found_path(struct pathname *p, struct dentry *dentry, struct vfsmount *mount)
{
	if (!find_names(p, dentry, mount, NULL) || !write_names(p)) {
		forget_path(p);
		return;
	}
	if (!p->length) {
		p->text[0] = '/';
		p->text[1] = 0;
		p->length = 1;
	}
	p->base = p->length;
}

static __always_inline long read_text(void *to, __u32 size, const char *from, bool user)
{
	return user ? bpf_probe_read_user_str(to, size, from) : bpf_probe_read_kernel_str(to, size, from);
}

/* A name that the current process has given. */
struct given_name {
	const char *text;
	__u32 dirfd;  /* the directory that a relative name begins at */
	bool user;    /* whether the text is in user memory */
	bool in_root; /* whether that directory is the root for this name (RESOLVE_IN_ROOT) */
};

/*
 * The path of a given name. It is not known if the name cannot be read, is longer than a name can be, or is relative to no
 * directory.
 */
static __always_inline void read_given_path(struct pathname *p, const struct given_name *given)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct fs_struct *fs = BPF_CORE_READ(task, fs);
	const struct path *root = &fs->root, *base;
	char first[2] = {};
	__u32 at;
	long n;

	forget_path(p);
	if (read_text(first, sizeof(first), given->text, given->user) < 0)
		return;
	if (first[0] == '/' && !given->in_root) {
		base = root;
	} else if (given->dirfd == (__u32)AT_FDCWD) {
		base = &fs->pwd;
	} else {
		struct file *file = file_of_fd(task, given->dirfd);

		if (!file)
			return;
		base = &file->f_path;
	}
	if (!find_names(p, BPF_CORE_READ(base, dentry), BPF_CORE_READ(base, mnt), root) || !write_names(p)) {
		forget_path(p);
		return;
	}
	at = p->length;
	p->base = at;
	if (given->in_root)
		p->root = at;
	barrier_var(at);
	at &= PATH_MAX - 1;
	if (first[0] != '/')
		p->text[at++] = '/';
	n = read_text(p->text + at, PATH_MAX, given->text, given->user);
	if (n <= 0 || n >= PATH_MAX)
		forget_path(p);
	else
		p->length = at + n - 1;
}
