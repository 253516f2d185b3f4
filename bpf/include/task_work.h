/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Work that a task does when it returns to user space. There the result of its system call is known, at no cost for all other
 * calls. Linux 6.18 has this, and Linux 7 by another name. A hook needs a variant for each, and one without it.
 */
#pragma once

#include "registers.h"

/* How a program gets to know the result: not at all, or by the function of Linux 6.18 or 7. */
enum task_work_by { NO_TASK_WORK, TASK_WORK_6_18, TASK_WORK_7 };

/* A field of a map's value; the kernel looks for its type by name. */
struct bpf_task_work {
	__u64 opaque;
} __attribute__((aligned(8)));

struct bpf_map {
	__u32 id;
} __attribute__((preserve_access_index));

typedef int task_work_fn(struct bpf_map *map, void *key, void *value);

extern int bpf_task_work_schedule_resume_impl(struct task_struct *task, struct bpf_task_work *work, void *map,
					      task_work_fn *callback, void *aux) __ksym;
/* From Linux 7 on the verifier passes what was the last argument itself. */
extern int bpf_task_work_schedule_resume(struct task_struct *task, struct bpf_task_work *work, void *map,
					 task_work_fn *callback) __ksym;
extern void bpf_preempt_disable(void) __ksym;
extern void bpf_preempt_enable(void) __ksym;

enum { NR_IO_URING_ENTER = 426 };

/* What the current system call returns to the process. Operations of io_uring have no result of their own there: false. */
static __always_inline bool read_syscall_result(int *result)
{
	const struct pt_regs *regs = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());

	*result = SYSCALL_RESULT(regs);
	return SYSCALL_NUMBER(regs) != NR_IO_URING_ENTER;
}
