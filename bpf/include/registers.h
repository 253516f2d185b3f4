/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The arguments of a system call, from the registers with which the process entered the kernel. They are still there when the
 * call returns. What they point to has been read by the kernel, so it is in memory.
 */
#pragma once

#include "kernel.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

#if defined(__TARGET_ARCH_x86)

struct pt_regs {
	unsigned long di, si, dx, r10, r8, bx, cx, ax, orig_ax;
};

#define SYSCALL_NUMBER(regs) BPF_CORE_READ(regs, orig_ax)
#define SYSCALL_RESULT(regs) BPF_CORE_READ(regs, ax)
#define SYSCALL_ARGUMENT_1(regs) BPF_CORE_READ(regs, di)
#define SYSCALL_ARGUMENT_2(regs) BPF_CORE_READ(regs, si)
#define SYSCALL_ARGUMENT_3(regs) BPF_CORE_READ(regs, dx)
#define SYSCALL_ARGUMENT_4(regs) BPF_CORE_READ(regs, r10)
#define SYSCALL_ARGUMENT_5(regs) BPF_CORE_READ(regs, r8)

#define COMPAT_ARGUMENT_1(regs) BPF_CORE_READ(regs, bx)
#define COMPAT_ARGUMENT_2(regs) BPF_CORE_READ(regs, cx)

enum { TS_COMPAT = 2, X32_SYSCALL_BIT = 0x40000000 };
enum { NR_SENDMMSG = 307 };

#define COMPAT_FLAG(probe, task) (READ(probe, task, thread_info.status) & TS_COMPAT)

#elif defined(__TARGET_ARCH_arm64)

struct pt_regs {
	__u64 regs[31];
	__u64 orig_x0;
	__s32 syscallno;
};

#define SYSCALL_NUMBER(regs) BPF_CORE_READ(regs, syscallno)
#define SYSCALL_RESULT(regs) BPF_CORE_READ(regs, regs[0])
#define SYSCALL_ARGUMENT_1(regs) BPF_CORE_READ(regs, orig_x0)
#define SYSCALL_ARGUMENT_2(regs) BPF_CORE_READ(regs, regs[1])
#define SYSCALL_ARGUMENT_3(regs) BPF_CORE_READ(regs, regs[2])
#define SYSCALL_ARGUMENT_4(regs) BPF_CORE_READ(regs, regs[3])
#define SYSCALL_ARGUMENT_5(regs) BPF_CORE_READ(regs, regs[4])

#define COMPAT_ARGUMENT_1(regs) BPF_CORE_READ(regs, orig_x0)
#define COMPAT_ARGUMENT_2(regs) BPF_CORE_READ(regs, regs[1])

enum { TIF_32BIT = 1 << 22, X32_SYSCALL_BIT = 0 };
enum { NR_SENDMMSG = 269 };

#define COMPAT_FLAG(probe, task) (READ(probe, task, thread_info.flags) & TIF_32BIT)

#endif

#pragma clang attribute pop

/*
 * Whether a call is in the table of 32-bit programs, whose numbers are others. On amd64, 64-bit programs can make such calls
 * too; calls of x32 are in the 64-bit table.
 */
static __always_inline bool is_compat_call(struct task_struct *task, bool probe)
{
	return COMPAT_FLAG(probe, task);
}

static __always_inline __u64 first_argument(const void *registers, bool compat)
{
	const struct pt_regs *regs = registers;

	return compat ? COMPAT_ARGUMENT_1(regs) : SYSCALL_ARGUMENT_1(regs);
}

static __always_inline __u64 second_argument(const void *registers, bool compat)
{
	const struct pt_regs *regs = registers;

	return compat ? COMPAT_ARGUMENT_2(regs) : SYSCALL_ARGUMENT_2(regs);
}
