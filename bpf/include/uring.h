/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Requests of io_uring, which are not system calls. From Linux 6.3 on there is a tracepoint at the
 * submission, in the context of the process or of a thread that the kernel has made for it. Any thread may complete a request.
 */
#pragma once

#include "kernel.h"

/* The number of arguments of btf_trace_io_uring_complete: 7 with the result; from 6.15 on 3, with the entry of the queue. */
const volatile __u32 uring_complete_arguments;

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct io_kiocb {
	struct file *file; /* of the descriptor that the request names; it is set after the submission */
	__u8 opcode;
	__u64 flags;
};

struct io_uring_cqe {
	__s32 res;
};

#pragma clang attribute pop

/* The result, from the raw context of tp_btf/io_uring_complete. */
static __always_inline int uring_result(const __u64 *ctx)
{
	if (uring_complete_arguments == 3)
		return BPF_CORE_READ((struct io_uring_cqe *)ctx[2], res);
	return ctx[3];
}
