/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The arguments of a system call, from the registers that the process entered the kernel with. They are still there when
 * the call returns, and what they point to has been read by the kernel, and so is in memory.
 */
#pragma once

#include "kernel.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

#if defined(__TARGET_ARCH_x86)

struct pt_regs {
	unsigned long di, si, dx, r10, r8, orig_ax;
};

#define SYSCALL_NUMBER(regs) BPF_CORE_READ(regs, orig_ax)
#define SYSCALL_ARGUMENT_1(regs) BPF_CORE_READ(regs, di)
#define SYSCALL_ARGUMENT_2(regs) BPF_CORE_READ(regs, si)
#define SYSCALL_ARGUMENT_3(regs) BPF_CORE_READ(regs, dx)
#define SYSCALL_ARGUMENT_4(regs) BPF_CORE_READ(regs, r10)
#define SYSCALL_ARGUMENT_5(regs) BPF_CORE_READ(regs, r8)

/* Whether the call is one of a 32-bit program, which has other numbers: TS_COMPAT. */
#define IS_COMPAT(task) (BPF_CORE_READ((struct task_struct *)(task), thread_info.status) & 2)

#elif defined(__TARGET_ARCH_arm64)

struct pt_regs {
	__u64 regs[31];
	__u64 orig_x0;
	__s32 syscallno;
};

#define SYSCALL_NUMBER(regs) BPF_CORE_READ(regs, syscallno)
#define SYSCALL_ARGUMENT_1(regs) BPF_CORE_READ(regs, orig_x0)
#define SYSCALL_ARGUMENT_2(regs) BPF_CORE_READ(regs, regs[1])
#define SYSCALL_ARGUMENT_3(regs) BPF_CORE_READ(regs, regs[2])
#define SYSCALL_ARGUMENT_4(regs) BPF_CORE_READ(regs, regs[3])
#define SYSCALL_ARGUMENT_5(regs) BPF_CORE_READ(regs, regs[4])

/* TIF_32BIT */
#define IS_COMPAT(task) (BPF_CORE_READ((struct task_struct *)(task), thread_info.flags) & (1 << 22))

#endif

#pragma clang attribute pop
