/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The first way: the functions that all deletions and opens go through, those of io_uring included. vfs_unlink() and the like do
 * not know the mount. security_path_*() does, which the same thread calls before. A call without that is of a file system that
 * is stacked upon another one, such as overlayfs, and deletes there what was deleted above.
 */
#pragma once

#include "report.h"

/* The numbers of arguments of these functions. The result is behind them. */
const volatile __u32 unlink_arguments; /* 4 from 5.12 on, the first one for the ids of the mount; 3 before */
const volatile __u32 rmdir_arguments;  /* 4 from 6.19 on, as vfs_unlink(); 3 from 5.12 on, with the first one; 2 before */
const volatile __u32 rename_arguments; /* 1 from 5.12 on, a struct renamedata; 6 before */

struct target {
	__u64 dentry;
	__u64 mount;
};

/* What each thread is about to delete. Entries whose deletion was refused before it was tried stay until they are displaced. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64); /* pid_tgid */
	__type(value, struct target);
} file_targets SEC(".maps");

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct open_flags {
	int open_flag;
	int lookup_flags;
};

struct renamedata {
	struct dentry *old_dentry;
	struct dentry *new_dentry;
	unsigned int flags;
};

#pragma clang attribute pop

static __always_inline int set_target(const struct path *directory, struct dentry *dentry)
{
	__u64 thread = bpf_get_current_pid_tgid();
	struct target t = {.dentry = address_of(dentry), .mount = (__u64)BPF_CORE_READ(directory, mnt)};

	bpf_map_update_elem(&file_targets, &thread, &t, BPF_ANY);
	return 0;
}

SEC("fentry/security_path_unlink")
int file_before_unlink(__u64 *ctx)
{
	return set_target((const struct path *)ctx[0], (struct dentry *)ctx[1]);
}

SEC("fentry/security_path_rmdir")
int file_before_rmdir(__u64 *ctx)
{
	return set_target((const struct path *)ctx[0], (struct dentry *)ctx[1]);
}

SEC("fentry/security_path_rename")
int file_before_rename(__u64 *ctx)
{
	return set_target((const struct path *)ctx[2], (struct dentry *)ctx[3]);
}

/* The mount in which the current thread is about to delete a file; NULL if it is another file. Forgets the target. */
static __always_inline struct vfsmount *take_target(struct dentry *dentry)
{
	__u64 thread = bpf_get_current_pid_tgid();
	struct target *t = bpf_map_lookup_elem(&file_targets, &thread);
	struct vfsmount *mount;

	if (!t || t->dentry != address_of(dentry))
		return NULL;
	mount = (struct vfsmount *)t->mount;
	bpf_map_delete_elem(&file_targets, &thread);
	return mount;
}

static __noinline int report_deletion(struct dentry *dentry, struct vfsmount *mount, __u8 operation, int result)
{
	struct outcome o = {.operation = operation, .error = result < 0 ? -result : 0};
	struct owner owner;
	struct pathname *p;

	/* Somebody has a lease on the file. The kernel tries again when that is given back. */
	if (o.error == EWOULDBLOCK)
		return 0;
	p = count_deletion(&owner, &o);
	if (!p)
		return 0;
	read_found_path(p, dentry, mount);
	return emit(&owner, p, &o);
}

static __always_inline int on_remove(struct dentry *dentry, __u8 operation, int result)
{
	struct vfsmount *mount = take_target(dentry);

	return mount ? report_deletion(dentry, mount, operation, result) : 0;
}

/* The verifier wants a constant index for each argument, so the compiler must not merge the loads. */
#define ARGUMENT(n)                      \
	({                               \
		__u64 argument = ctx[n]; \
		barrier_var(argument);   \
		argument;                \
	})

SEC("fexit/vfs_unlink")
int file_after_unlink(__u64 *ctx)
{
	if (unlink_arguments == 4)
		return on_remove((struct dentry *)ctx[2], OPERATION_UNLINK, ARGUMENT(4));
	return on_remove((struct dentry *)ctx[1], OPERATION_UNLINK, ARGUMENT(3));
}

SEC("fexit/vfs_rmdir")
int file_after_rmdir(__u64 *ctx)
{
	if (rmdir_arguments == 4)
		return on_remove((struct dentry *)ctx[2], OPERATION_RMDIR, ARGUMENT(4));
	if (rmdir_arguments == 3)
		return on_remove((struct dentry *)ctx[2], OPERATION_RMDIR, ARGUMENT(3));
	return on_remove((struct dentry *)ctx[1], OPERATION_RMDIR, ARGUMENT(2));
}

/* A rename deletes the file that had the new name, unless both are the same or exchange their names. */
static __always_inline int on_rename(struct dentry *from, struct dentry *to, __u32 flags, int result)
{
	struct vfsmount *mount = take_target(to);
	struct inode *inode = BPF_CORE_READ(to, d_inode);

	if (!mount || !inode || flags & (RENAME_EXCHANGE | RENAME_NOREPLACE) || inode == BPF_CORE_READ(from, d_inode))
		return 0;
	return report_deletion(to, mount, OPERATION_RENAME, result);
}

SEC("fexit/vfs_rename")
int file_after_rename(__u64 *ctx)
{
	if (rename_arguments == 1) {
		struct renamedata *r = (struct renamedata *)ctx[0];

		return on_rename(BPF_CORE_READ(r, old_dentry), BPF_CORE_READ(r, new_dentry), BPF_CORE_READ(r, flags),
				 ARGUMENT(1));
	}
	return on_rename((struct dentry *)ctx[1], (struct dentry *)ctx[3], ARGUMENT(5), ARGUMENT(6));
}

/* RESOLVE_IN_ROOT as the kernel keeps it (LOOKUP_IN_ROOT). Newer kernels have moved it to a bit that was free before. */
enum { LOOKUP_IN_ROOT = 1 << 20 | 1 << 28 };

/* An execution opens its file by this too. */
static __always_inline int on_open(__u32 dirfd, struct filename *filename, struct open_flags *how, struct file *file)
{
	long result = address_of(file);
	struct opening o = {.file = file, .name.dirfd = dirfd, .flags = BPF_CORE_READ(how, open_flag)};

	if (o.flags & FMODE_EXEC || !is_selected_open(o.flags))
		return 0;
	o.name.text = BPF_CORE_READ(filename, name);
	o.name.in_root = BPF_CORE_READ(how, lookup_flags) & LOOKUP_IN_ROOT;
	if (result < 0 && result >= -4095)
		o.error = -result;
	/* io_uring first tries, with this flag, to open the file without blocking. */
	if (o.error == EAGAIN && o.flags & O_NONBLOCK)
		return 0;
	return handle_open(&o);
}

SEC("fexit/do_filp_open")
int file_open(__u64 *ctx)
{
	return on_open(ctx[0], (struct filename *)ctx[1], (struct open_flags *)ctx[2], (struct file *)ctx[3]);
}

/* The name of the same function in newer kernels. */
SEC("fexit/do_file_open")
int file_open_newer(__u64 *ctx)
{
	return on_open(ctx[0], (struct filename *)ctx[1], (struct open_flags *)ctx[2], (struct file *)ctx[3]);
}
