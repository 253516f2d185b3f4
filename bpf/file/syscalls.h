/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The second and the third way: the returns from system calls, either those that delete or open, or, without tracefs, all. They
 * slow down all system calls. What goes through io_uring is not seen here: see uring.h.
 */
#pragma once

#include "../include/registers.h"
#include "report.h"

static __noinline int on_delete_call(__u32 dirfd, const char *name, __u8 operation, long result)
{
	struct given_name given = {.text = name, .dirfd = dirfd, .user = true};
	struct owner owner;
	struct pathname *p;
	struct outcome o;

	if (!describe_deletion(&o, operation, result))
		return 0;
	p = count_deletion(&owner, &o);
	if (!p)
		return 0;
	read_given_path(p, &given);
	return emit(&owner, p, &o);
}

/* The result is a descriptor. */
static __always_inline int on_open_call(__u32 dirfd, const char *name, __u32 flags, __u64 resolve, long result)
{
	struct opening o = {
		.name = {.text = name, .dirfd = dirfd, .user = true, .in_root = resolve & RESOLVE_IN_ROOT},
		.flags = flags,
	};

	if (!is_selected_open(flags))
		return 0;
	if (result < 0) {
		o.error = -result;
	} else {
		o.file = file_of_fd((struct task_struct *)bpf_get_current_task(), result);
		if (!o.file)
			return 0; /* another thread has closed it already */
	}
	return handle_open(&o);
}

static __always_inline int on_openat2_call(__u32 dirfd, const char *name, const struct open_how *how, long result)
{
	__u64 flags = 0, resolve = 0;

	bpf_probe_read_user(&flags, sizeof(flags), &how->flags);
	bpf_probe_read_user(&resolve, sizeof(resolve), &how->resolve);
	return on_open_call(dirfd, name, flags, resolve, result);
}

#define DELETED_BY_UNLINKAT(regs, result)                                                \
	on_delete_call(SYSCALL_ARGUMENT_1(regs), (const char *)SYSCALL_ARGUMENT_2(regs), \
		       SYSCALL_ARGUMENT_3(regs) & AT_REMOVEDIR ? OPERATION_RMDIR : OPERATION_UNLINK, result)
#define DELETED_BY_RENAMEAT(regs, result) \
	on_delete_call(SYSCALL_ARGUMENT_3(regs), (const char *)SYSCALL_ARGUMENT_4(regs), OPERATION_RENAME, result)
#define DELETED_BY_RENAMEAT2(regs, result) \
	(SYSCALL_ARGUMENT_5(regs) & (RENAME_NOREPLACE | RENAME_EXCHANGE) ? 0 : DELETED_BY_RENAMEAT(regs, result))
#define DELETED_BY_UNLINK(regs, result) on_delete_call(AT_FDCWD, (const char *)SYSCALL_ARGUMENT_1(regs), OPERATION_UNLINK, result)
#define DELETED_BY_RMDIR(regs, result) on_delete_call(AT_FDCWD, (const char *)SYSCALL_ARGUMENT_1(regs), OPERATION_RMDIR, result)
#define DELETED_BY_RENAME(regs, result) on_delete_call(AT_FDCWD, (const char *)SYSCALL_ARGUMENT_2(regs), OPERATION_RENAME, result)
#define OPENED_BY_OPENAT(regs, result) \
	on_open_call(SYSCALL_ARGUMENT_1(regs), (const char *)SYSCALL_ARGUMENT_2(regs), SYSCALL_ARGUMENT_3(regs), 0, result)
#define OPENED_BY_OPENAT2(regs, result)                                                   \
	on_openat2_call(SYSCALL_ARGUMENT_1(regs), (const char *)SYSCALL_ARGUMENT_2(regs), \
			(const struct open_how *)SYSCALL_ARGUMENT_3(regs), result)
#define OPENED_BY_OPEN(regs, result) \
	on_open_call(AT_FDCWD, (const char *)SYSCALL_ARGUMENT_1(regs), SYSCALL_ARGUMENT_2(regs), 0, result)
#define OPENED_BY_CREAT(regs, result) \
	on_open_call(AT_FDCWD, (const char *)SYSCALL_ARGUMENT_1(regs), O_CREAT | O_WRONLY | O_TRUNC, 0, result)

/* The return from one system call. The arguments are in the registers, which a helper gives from Linux 5.15 on. */
#define AT_EXIT(name, does)                                                                            \
	SEC("tracepoint/syscalls/sys_exit_" #name)                                                     \
	int file_exit_##name(struct trace_event_raw_sys_exit *ctx)                                     \
	{                                                                                              \
		struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf()); \
                                                                                                       \
		return does(regs, ctx->ret);                                                           \
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

/* The return from any system call. Those of the 32-bit table have other numbers. */
#define CASE(name, does) \
	case NR_##name:  \
		return is_compat_call((struct task_struct *)bpf_get_current_task(), true) ? 0 : does(regs, result)

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
