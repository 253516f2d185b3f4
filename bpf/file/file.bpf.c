//go:build ignore

// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
// Files: those that are deleted, and those below some paths that are opened.
#include "../include/filter.h"
#include "../include/pathname.h"
#include "../include/registers.h"
#include "../include/series.h"

enum event_id {
	EVENT_DELETE,
	EVENT_OPEN,
};

/* What is done to a file. */
enum operation {
	OPERATION_UNLINK,
	OPERATION_RMDIR,
	OPERATION_RENAME, /* of another file to its name */
	OPERATION_OPEN,
	OPERATIONS,
};

enum { EAGAIN = 11, EWOULDBLOCK = EAGAIN, EISDIR = 21, ENOTEMPTY = 39 };
enum { AT_REMOVEDIR = 0x200 };
enum { IORING_OP_OPENAT = 18, IORING_OP_OPENAT2 = 28, IORING_OP_RENAMEAT = 35, IORING_OP_UNLINKAT = 36 };
enum { REQ_F_CQE_SKIP = 1 << 6 };
enum { RENAME_NOREPLACE = 1 << 0, RENAME_EXCHANGE = 1 << 1 };
enum { O_WRONLY = 1, O_RDWR = 2, O_CREAT = 0100, O_TRUNC = 01000, O_NONBLOCK = 04000, FMODE_EXEC = 0x20 };

/* How many arguments the functions have here; the result is behind them. */
const volatile __u32 unlink_arguments; /* 4 since 5.12, the first one for the ids of the mount; 3 before */
const volatile __u32 rmdir_arguments;  /* 4 since 6.19, the last one as that of vfs_unlink(); 3 since 5.12, the first one too; 2 before */
const volatile __u32 rename_arguments; /* 1 since 5.12, struct renamedata; 6 before */

/* How many arguments btf_trace_io_uring_complete has here: 3 with the entry of the queue (6.15), 7 with what is in it. */
const volatile __u32 uring_complete_arguments;

/* Whether opens are reported at all. */
const volatile bool report_opens;

/* Whether only such opens are reported that may change the file. */
const volatile bool opens_write_only;

/* What was done, or was not. */
struct done {
	__u32 flags; /* of an open, as open() has them */
	__u16 error; /* errno; 0: it was done */
	__u8 operation;
	bool uncertain; /* whether a file was deleted is not known */
};

struct event {
	struct record record;
	struct owner owner;
	__u32 flags; /* as struct done has it; and so the next ones */
	__u16 error;
	__u8 operation;
	__u8 uncertain;
	__u16 root;	/* bytes of the path that are that of the process's root */
	__u16 base;	/* bytes that are that of a directory; what is behind them is as the process gave it */
	__u32 length;	/* of the path, which follows; 0: not known */
};

/* Most paths are short. */
enum { SHORT_PATH = 256, LONG_PATH = 2 * PATH_MAX };

struct series {
	__u64 cgroup; /* OVERFLOW_CGROUP: the series of everything that found no room */
	__u16 error;
	__u8 operation;
	__u8 uncertain;
	__u32 pad;
};

struct counts {
	__u64 operations;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct series);
	__type(value, struct counts);
} operations SEC(".maps");

/* Room for paths that are being read: one by operation, because functions for another one may interrupt each other. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, OPERATIONS);
	__type(key, __u32);
	__type(value, struct pathname);
} pathnames SEC(".maps");

#define PREFIX_SIZE 256

struct prefix {
	__u32 length; /* bits */
	char text[PREFIX_SIZE];
};

/* Below which paths opens are reported: with a slash at the end, and with a zero for the path itself. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 128);
	__type(key, struct prefix);
	__type(value, __u8);
} opened_paths SEC(".maps");

struct found {
	__u64 dentry;
	__u64 mount;
};

/* What a thread is about to delete, and in which mount that is. Those that were refused before they were tried stay. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct found);
} about_to_delete SEC(".maps");

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct filename {
	const char *name;
};

struct open_flags {
	int open_flag;
};

struct open_how {
	__u64 flags;
};

struct io_kiocb {
	__u8 opcode;
	__u64 flags;
};

/* Each of these lies where the request begins. */
struct io_unlink {
	int dfd;
	int flags;
	struct filename *filename;
};

struct io_rename {
	int new_dfd;
	struct filename *newpath;
	int flags;
};

struct io_open {
	int dfd;
	__u32 file_slot;
	struct filename *filename;
	struct open_how how;
};

struct io_uring_cqe {
	__s32 res;
};

struct renamedata {
	struct dentry *old_dentry;
	struct dentry *new_dentry;
	unsigned int flags;
};

#pragma clang attribute pop

static __always_inline void count(const struct owner *owner, const struct done *done)
{
	static const struct counts none;
	struct series key = {
		.cgroup = owner->cgroup,
		.error = done->error,
		.operation = done->operation,
		.uncertain = done->uncertain,
	};
	struct counts *c = FIND_SERIES(&operations, &key, &none,
				       {.cgroup = OVERFLOW_CGROUP,
					.operation = done->operation == OPERATION_OPEN ? OPERATION_OPEN : OPERATION_UNLINK});

	if (c)
		__sync_fetch_and_add(&c->operations, 1);
}

static __always_inline struct pathname *room_for(__u32 operation)
{
	return bpf_map_lookup_elem(&pathnames, &operation);
}

static __noinline int emit(const struct owner *owner, const struct pathname *p, const struct done *done)
{
	enum event_id id = done->operation == OPERATION_OPEN ? EVENT_OPEN : EVENT_DELETE;
	__u64 now = bpf_ktime_get_ns();
	__u32 length = p->length;
	struct event *e;

	if (length < SHORT_PATH) {
		e = reserve_record(id, sizeof(*e) + SHORT_PATH, now, false);
		if (!e)
			return 0;
		barrier_var(length);
		bpf_probe_read_kernel(e + 1, length & (SHORT_PATH - 1), p->text);
	} else {
		e = reserve_record(id, sizeof(*e) + LONG_PATH, now, false);
		if (!e)
			return 0;
		barrier_var(length);
		bpf_probe_read_kernel(e + 1, length & (LONG_PATH - 1), p->text);
	}
	e->owner = *owner;
	e->flags = done->flags;
	e->error = done->error;
	e->operation = done->operation;
	e->uncertain = done->uncertain;
	e->root = p->root;
	e->base = p->base;
	e->length = p->length;
	submit_record(e);
	return 0;
}

/*
 * Deletions, by the functions that all of them come through, those of io_uring included. They do not know the mount, which
 * security_path_*() was told before in the same thread; without that, it is a file system that lies upon another one, and
 * deletes there what was deleted in itself.
 */
static __always_inline int expect(const struct path *directory, struct dentry *dentry)
{
	__u64 thread = bpf_get_current_pid_tgid();
	struct found f = {.dentry = address_of(dentry), .mount = (__u64)BPF_CORE_READ(directory, mnt)};

	bpf_map_update_elem(&about_to_delete, &thread, &f, BPF_ANY);
	return 0;
}

SEC("fentry/security_path_unlink")
int file_before_unlink(__u64 *ctx)
{
	return expect((const struct path *)ctx[0], (struct dentry *)ctx[1]);
}

SEC("fentry/security_path_rmdir")
int file_before_rmdir(__u64 *ctx)
{
	return expect((const struct path *)ctx[0], (struct dentry *)ctx[1]);
}

SEC("fentry/security_path_rename")
int file_before_rename(__u64 *ctx)
{
	return expect((const struct path *)ctx[2], (struct dentry *)ctx[3]);
}

/* The mount that the thread is about to delete a file in; NULL if it is another file. */
static __always_inline struct vfsmount *expected_in(struct dentry *dentry)
{
	__u64 thread = bpf_get_current_pid_tgid();
	struct found *f = bpf_map_lookup_elem(&about_to_delete, &thread);
	struct vfsmount *mount;

	if (!f || f->dentry != address_of(dentry))
		return NULL;
	mount = (struct vfsmount *)f->mount;
	bpf_map_delete_elem(&about_to_delete, &thread);
	return mount;
}

static __noinline int deleted(struct dentry *dentry, struct vfsmount *mount, __u8 operation, int result)
{
	struct done done = {.operation = operation, .error = result < 0 ? -result : 0};
	struct owner owner;
	struct pathname *p;

	/* Somebody has a lease on the file; it is tried again when that is given back. */
	if (done.error == EWOULDBLOCK)
		return 0;
	read_owner(&owner, current_task());
	if (is_excluded_owner(&owner))
		return 0;
	count(&owner, &done);
	if (!event_enabled(EVENT_DELETE) || !within_limit())
		return 0;
	p = room_for(operation);
	if (!p)
		return 0;
	read_found(p, dentry, mount);
	return emit(&owner, p, &done);
}

static __always_inline int removed(struct dentry *dentry, __u8 operation, int result)
{
	struct vfsmount *mount = expected_in(dentry);

	return mount ? deleted(dentry, mount, operation, result) : 0;
}

/* The verifier wants each argument by a number of its own, which the compiler must not put together. */
#define ARGUMENT(n)                                                                                                    \
	({                                                                                                             \
		__u64 argument = ctx[n];                                                                               \
		barrier_var(argument);                                                                                 \
		argument;                                                                                              \
	})

SEC("fexit/vfs_unlink")
int file_after_unlink(__u64 *ctx)
{
	if (unlink_arguments == 4)
		return removed((struct dentry *)ctx[2], OPERATION_UNLINK, ARGUMENT(4));
	return removed((struct dentry *)ctx[1], OPERATION_UNLINK, ARGUMENT(3));
}

SEC("fexit/vfs_rmdir")
int file_after_rmdir(__u64 *ctx)
{
	if (rmdir_arguments == 4)
		return removed((struct dentry *)ctx[2], OPERATION_RMDIR, ARGUMENT(4));
	if (rmdir_arguments == 3)
		return removed((struct dentry *)ctx[2], OPERATION_RMDIR, ARGUMENT(3));
	return removed((struct dentry *)ctx[1], OPERATION_RMDIR, ARGUMENT(2));
}

/* A file that another one was renamed to is deleted, unless both are the same or take the name of each other. */
static __always_inline int renamed(struct dentry *from, struct dentry *to, __u32 flags, int result)
{
	struct vfsmount *mount = expected_in(to);
	struct inode *inode = BPF_CORE_READ(to, d_inode);

	if (!mount || !inode || flags & (RENAME_EXCHANGE | RENAME_NOREPLACE) || inode == BPF_CORE_READ(from, d_inode))
		return 0;
	return deleted(to, mount, OPERATION_RENAME, result);
}

SEC("fexit/vfs_rename")
int file_after_rename(__u64 *ctx)
{
	if (rename_arguments == 1) {
		struct renamedata *r = (struct renamedata *)ctx[0];

		return renamed(BPF_CORE_READ(r, old_dentry), BPF_CORE_READ(r, new_dentry), BPF_CORE_READ(r, flags), ARGUMENT(1));
	}
	return renamed((struct dentry *)ctx[1], (struct dentry *)ctx[3], ARGUMENT(5), ARGUMENT(6));
}

/*
 * What a system call that deletes has done. One that renames does not tell whether there was a file of the new name; but
 * if it fails, some errors say so. The others are of no interest.
 */
static __always_inline bool is_deletion(struct done *done, __u8 operation, long result)
{
	done->flags = 0;
	done->operation = operation;
	done->error = result < 0 ? -result : 0;
	done->uncertain = operation == OPERATION_RENAME && !done->error;
	return operation != OPERATION_RENAME || !done->error || done->error == ENOTEMPTY || done->error == EISDIR;
}

static __noinline int delete_called(__u32 dirfd, const char *name, __u8 operation, long result)
{
	struct owner owner;
	struct pathname *p;
	struct done done;

	if (!is_deletion(&done, operation, result))
		return 0;
	read_owner(&owner, current_task());
	if (is_excluded_owner(&owner))
		return 0;
	count(&owner, &done);
	if (!event_enabled(EVENT_DELETE) || !within_limit())
		return 0;
	p = room_for(operation);
	if (!p)
		return 0;
	read_named(p, dirfd, name, true);
	return emit(&owner, p, &done);
}

struct opening {
	struct file *file; /* that was opened */
	const char *name;  /* that the process gave, */
	__u32 dirfd;       /* below this directory */
	bool user;         /* whether the name is in its own memory */
	__u32 flags;
	__u16 error; /* errno; 0: it was opened */
};

static __always_inline bool is_asked_for(__u32 flags)
{
	return !opens_write_only || flags & (O_WRONLY | O_RDWR | O_TRUNC);
}

/* Counts and emits an open if its path is asked for. */
static __always_inline int report_open(const struct owner *owner, struct pathname *p, const struct done *done)
{
	p->prefix_length = PREFIX_SIZE * 8;
	if (!p->length || !bpf_map_lookup_elem(&opened_paths, &p->prefix_length))
		return 0;
	count(owner, done);
	if (!event_enabled(EVENT_OPEN) || !within_limit())
		return 0;
	return emit(owner, p, done);
}

static __always_inline void read_file(struct pathname *p, struct file *file)
{
	read_found(p, BPF_CORE_READ(file, f_path.dentry), BPF_CORE_READ(file, f_path.mnt));
}

/* Opens: a file is known by its path, and what was not opened by the name that was given. */
static __noinline int opened(const struct opening *o)
{
	struct done done = {.operation = OPERATION_OPEN, .error = o->error, .flags = o->flags};
	struct pathname *p = room_for(OPERATION_OPEN);
	struct owner owner;

	if (!p)
		return 0;
	read_owner(&owner, current_task());
	if (is_excluded_owner(&owner))
		return 0;
	if (o->error)
		read_named(p, o->dirfd, o->name, o->user);
	else
		read_file(p, o->file);
	return report_open(&owner, p, &done);
}

/* By the function that all of them come through, those of io_uring included; what is executed is opened by it, too. */
static __always_inline int open_returns(__u32 dirfd, struct filename *filename, struct open_flags *how, struct file *file)
{
	long result = address_of(file);
	struct opening o = {.file = file, .dirfd = dirfd, .flags = BPF_CORE_READ(how, open_flag)};

	if (o.flags & FMODE_EXEC || !is_asked_for(o.flags))
		return 0;
	o.name = BPF_CORE_READ(filename, name);
	if (result < 0 && result >= -4095)
		o.error = -result;
	/* io_uring tries first, with this flag, whether it can be done without waiting. */
	if (o.error == EAGAIN && o.flags & O_NONBLOCK)
		return 0;
	return opened(&o);
}

SEC("fexit/do_filp_open")
int file_open(__u64 *ctx)
{
	return open_returns(ctx[0], (struct filename *)ctx[1], (struct open_flags *)ctx[2], (struct file *)ctx[3]);
}

/* The name of the same function in newer kernels. */
SEC("fexit/do_file_open")
int file_open_newer(__u64 *ctx)
{
	return open_returns(ctx[0], (struct filename *)ctx[1], (struct open_flags *)ctx[2], (struct file *)ctx[3]);
}

/* By the system calls, whose result is a descriptor. */
static __always_inline int open_called(__u32 dirfd, const char *name, __u32 flags, long result)
{
	struct opening o = {.name = name, .dirfd = dirfd, .user = true, .flags = flags};

	if (!is_asked_for(flags))
		return 0;
	if (result < 0) {
		o.error = -result;
	} else {
		o.file = file_of((struct task_struct *)bpf_get_current_task(), result);
		if (!o.file)
			return 0; /* closed by another thread already */
	}
	return opened(&o);
}

static __always_inline __u32 flags_of(const struct open_how *how)
{
	__u64 flags = 0;

	bpf_probe_read_user(&flags, sizeof(flags), &how->flags);
	return flags;
}

#define DELETED_BY_UNLINKAT(regs, result)                                                                              \
	delete_called(SYSCALL_ARGUMENT_1(regs), (const char *)SYSCALL_ARGUMENT_2(regs),                                \
		      SYSCALL_ARGUMENT_3(regs) & AT_REMOVEDIR ? OPERATION_RMDIR : OPERATION_UNLINK, result)
#define DELETED_BY_RENAMEAT(regs, result)                                                                              \
	delete_called(SYSCALL_ARGUMENT_3(regs), (const char *)SYSCALL_ARGUMENT_4(regs), OPERATION_RENAME, result)
#define DELETED_BY_RENAMEAT2(regs, result)                                                                             \
	(SYSCALL_ARGUMENT_5(regs) & (RENAME_NOREPLACE | RENAME_EXCHANGE) ? 0 : DELETED_BY_RENAMEAT(regs, result))
#define DELETED_BY_UNLINK(regs, result)                                                                                \
	delete_called(AT_FDCWD, (const char *)SYSCALL_ARGUMENT_1(regs), OPERATION_UNLINK, result)
#define DELETED_BY_RMDIR(regs, result)                                                                                 \
	delete_called(AT_FDCWD, (const char *)SYSCALL_ARGUMENT_1(regs), OPERATION_RMDIR, result)
#define DELETED_BY_RENAME(regs, result)                                                                                \
	delete_called(AT_FDCWD, (const char *)SYSCALL_ARGUMENT_2(regs), OPERATION_RENAME, result)
#define OPENED_BY_OPENAT(regs, result)                                                                                 \
	open_called(SYSCALL_ARGUMENT_1(regs), (const char *)SYSCALL_ARGUMENT_2(regs), SYSCALL_ARGUMENT_3(regs), result)
#define OPENED_BY_OPENAT2(regs, result)                                                                                \
	open_called(SYSCALL_ARGUMENT_1(regs), (const char *)SYSCALL_ARGUMENT_2(regs),                                  \
		    flags_of((const struct open_how *)SYSCALL_ARGUMENT_3(regs)), result)
#define OPENED_BY_OPEN(regs, result)                                                                                   \
	open_called(AT_FDCWD, (const char *)SYSCALL_ARGUMENT_1(regs), SYSCALL_ARGUMENT_2(regs), result)
#define OPENED_BY_CREAT(regs, result)                                                                                  \
	open_called(AT_FDCWD, (const char *)SYSCALL_ARGUMENT_1(regs), O_CREAT | O_WRONLY | O_TRUNC, result)

/* The return from one system call. It has the result; the arguments are in the registers (by the helper: 5.15). */
#define AT_EXIT(name, does)                                                                                            \
	SEC("tracepoint/syscalls/sys_exit_" #name)                                                                     \
	int file_exit_##name(struct trace_event_raw_sys_exit *ctx)                                                     \
	{                                                                                                              \
		struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());                 \
                                                                                                                       \
		return does(regs, ctx->ret);                                                                           \
	}

AT_EXIT(unlinkat, DELETED_BY_UNLINKAT)
AT_EXIT(renameat, DELETED_BY_RENAMEAT)
AT_EXIT(renameat2, DELETED_BY_RENAMEAT2)
AT_EXIT(openat, OPENED_BY_OPENAT)
AT_EXIT(openat2, OPENED_BY_OPENAT2)
/* These are not on arm64. */
AT_EXIT(unlink, DELETED_BY_UNLINK)
AT_EXIT(rmdir, DELETED_BY_RMDIR)
AT_EXIT(rename, DELETED_BY_RENAME)
AT_EXIT(open, OPENED_BY_OPEN)
AT_EXIT(creat, OPENED_BY_CREAT)

#if defined(__TARGET_ARCH_x86)
enum {
	NR_open = 2,
	NR_rename = 82,
	NR_rmdir = 84,
	NR_creat = 85,
	NR_unlink = 87,
	NR_openat = 257,
	NR_unlinkat = 263,
	NR_renameat = 264,
	NR_renameat2 = 316,
	NR_openat2 = 437,
};
#elif defined(__TARGET_ARCH_arm64)
enum {
	NR_unlinkat = 35,
	NR_renameat = 38,
	NR_openat = 56,
	NR_renameat2 = 276,
	NR_openat2 = 437,
};
#endif

/* The return from any system call, for where there is no tracefs. Those of 32-bit programs have other numbers. */
#define CASE(name, does)                                                                                               \
	case NR_##name:                                                                                                \
		return IS_COMPAT(bpf_get_current_task()) ? 0 : does(regs, result)

SEC("tp_btf/sys_exit")
int file_exit_any(__u64 *ctx)
{
	struct pt_regs *regs = (struct pt_regs *)ctx[0];
	__u64 number = SYSCALL_NUMBER(regs);
	long result = ctx[1];

	switch (number) {
		CASE(unlinkat, DELETED_BY_UNLINKAT);
		CASE(renameat, DELETED_BY_RENAMEAT);
		CASE(renameat2, DELETED_BY_RENAMEAT2);
#if defined(__TARGET_ARCH_x86)
		CASE(unlink, DELETED_BY_UNLINK);
		CASE(rmdir, DELETED_BY_RMDIR);
		CASE(rename, DELETED_BY_RENAME);
#endif
	}
	if (!report_opens)
		return 0;
	switch (number) {
		CASE(openat, OPENED_BY_OPENAT);
		CASE(openat2, OPENED_BY_OPENAT2);
#if defined(__TARGET_ARCH_x86)
		CASE(open, OPENED_BY_OPEN);
		CASE(creat, OPENED_BY_CREAT);
#endif
	}
	return 0;
}

/*
 * What a process asks for by io_uring is no system call. Its name is known when it is asked for, and not any more when it
 * is done, by whatever thread.
 */
enum { REQUEST_PATH = 1024 };

struct request {
	struct owner owner;
	__u32 flags;
	__u8 operation;
	bool direct; /* the descriptor will be one of io_uring's own */
	__u16 root;
	__u16 base;
	__u16 length; /* as in struct pathname; 0 if there is no room for all of it and its end */
	__u32 pad;
	char text[REQUEST_PATH];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 8192);
	__type(key, __u64); /* address of the struct io_kiocb */
	__type(value, struct request);
} requests SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct request);
} new_request SEC(".maps");

struct asked {
	__u64 request; /* address */
	const char *name;
	__u32 dirfd;
	__u32 flags;
	__u8 operation;
	bool direct;
};

static __noinline int ask(const struct asked *asked)
{
	struct done done = {.operation = asked->operation, .uncertain = true};
	struct pathname *p = room_for(asked->operation);
	__u64 address = asked->request;
	__u32 zero = 0, length;
	struct request *r = bpf_map_lookup_elem(&new_request, &zero);

	if (!p || !r)
		return 0;
	read_owner(&r->owner, current_task());
	if (is_excluded_owner(&r->owner))
		return 0;
	read_named(p, asked->dirfd, asked->name, false);
	/* A result that is not asked for does not come. */
	if (BPF_CORE_READ((struct io_kiocb *)address, flags) & REQ_F_CQE_SKIP) {
		if (asked->operation == OPERATION_OPEN) {
			done.uncertain = false;
			done.flags = asked->flags;
			return report_open(&r->owner, p, &done);
		}
		count(&r->owner, &done);
		if (event_enabled(EVENT_DELETE) && within_limit())
			emit(&r->owner, p, &done);
		return 0;
	}
	r->flags = asked->flags;
	r->operation = asked->operation;
	r->direct = asked->direct;
	r->root = p->root;
	r->base = p->base;
	length = p->length < REQUEST_PATH ? p->length : 0;
	r->length = length;
	barrier_var(length);
	bpf_probe_read_kernel(r->text, (length & (REQUEST_PATH - 1)) + 1, p->text);
	if (bpf_map_update_elem(&requests, &address, r, BPF_ANY))
		count_loss(LOSS_MAP_FULL);
	return 0;
}

SEC("tp_btf/io_uring_submit_req")
int file_ask(__u64 *ctx)
{
	struct io_kiocb *request = (struct io_kiocb *)ctx[0];
	struct io_unlink *u = (struct io_unlink *)request;
	struct io_rename *r = (struct io_rename *)request;
	struct io_open *o = (struct io_open *)request;
	struct asked asked = {.request = address_of(request)};
	struct filename *filename;

	switch (BPF_CORE_READ(request, opcode)) {
	case IORING_OP_UNLINKAT:
		asked.operation = BPF_CORE_READ(u, flags) & AT_REMOVEDIR ? OPERATION_RMDIR : OPERATION_UNLINK;
		asked.dirfd = BPF_CORE_READ(u, dfd);
		filename = BPF_CORE_READ(u, filename);
		break;
	case IORING_OP_RENAMEAT:
		if (BPF_CORE_READ(r, flags) & (RENAME_NOREPLACE | RENAME_EXCHANGE))
			return 0;
		asked.operation = OPERATION_RENAME;
		asked.dirfd = BPF_CORE_READ(r, new_dfd);
		filename = BPF_CORE_READ(r, newpath);
		break;
	case IORING_OP_OPENAT:
	case IORING_OP_OPENAT2:
		asked.flags = BPF_CORE_READ(o, how.flags);
		if (!report_opens || !is_asked_for(asked.flags))
			return 0;
		asked.operation = OPERATION_OPEN;
		asked.dirfd = BPF_CORE_READ(o, dfd);
		asked.direct = BPF_CORE_READ(o, file_slot);
		filename = BPF_CORE_READ(o, filename);
		break;
	default:
		return 0;
	}
	asked.name = BPF_CORE_READ(filename, name);
	return ask(&asked);
}

static __always_inline void answer(const struct request *r, int result)
{
	struct pathname *p = room_for(r->operation);
	struct file *file = NULL;
	struct done done;

	if (!p)
		return;
	p->root = r->root;
	p->base = r->base;
	p->length = r->length;
	bpf_probe_read_kernel(p->text, REQUEST_PATH, r->text);
	if (r->operation == OPERATION_OPEN) {
		done = (struct done){.operation = OPERATION_OPEN, .flags = r->flags, .error = result < 0 ? -result : 0};
		if (result >= 0 && !r->direct)
			file = file_of((struct task_struct *)bpf_get_current_task(), result);
		if (file)
			read_file(p, file);
		report_open(&r->owner, p, &done);
		return;
	}
	if (!is_deletion(&done, r->operation, result))
		return;
	count(&r->owner, &done);
	if (event_enabled(EVENT_DELETE) && within_limit())
		emit(&r->owner, p, &done);
}

SEC("tp_btf/io_uring_complete")
int file_answer(__u64 *ctx)
{
	__u64 address = address_of((void *)ctx[1]);
	struct request *r = bpf_map_lookup_elem(&requests, &address);

	if (!r)
		return 0;
	if (uring_complete_arguments == 3)
		answer(r, BPF_CORE_READ((struct io_uring_cqe *)ctx[2], res));
	else
		answer(r, ctx[3]);
	bpf_map_delete_elem(&requests, &address);
	return 0;
}

EXPORT_STRUCT(event);
EXPORT_ENUM(event_id);
EXPORT_ENUM(operation);
char LICENSE[] SEC("license") = "Dual BSD/GPL";
