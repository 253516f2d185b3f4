/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* From the id of a thread to the thread. */
#pragma once

#include "kernel.h"

/* The thread with an id in the initial pid namespace, from the kernel's own tree. */
static __always_inline struct task_struct *task_of(__u32 tid)
{
	struct task_struct *current = (struct task_struct *)bpf_get_current_task();
	void *entry = BPF_CORE_READ(current, thread_pid, numbers[0].ns, idr.idr_rt.xa_head);
	struct hlist_node *link;

	/* Ids are less than 2^22, so the tree is at most four nodes high. An entry that ends in binary 10 is a node. */
	for (int i = 0; i < 4 && ((__u64)entry & 3) == 2; i++) {
		struct xa_node *node = entry - 2;
		__u64 slot = (tid >> (BPF_CORE_READ(node, shift) & 31)) & 63;

		if (bpf_probe_read_kernel(&entry, sizeof(entry), (void *)node->slots + slot * sizeof(entry)))
			return NULL;
	}
	if (!entry)
		return NULL;
	link = BPF_CORE_READ((struct pid *)entry, tasks[0].first);
	if (!link)
		return NULL;
	return (void *)link - bpf_core_field_offset(struct task_struct, pid_links);
}
