//go:build ignore

// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
// Reports the creation and removal of cgroups, so that containers that end before the next walk of the tree have a name too.
#include "../include/record.h"

enum event_id {
	EVENT_MADE,
	EVENT_REMOVED,
};

struct event {
	struct record record;
	__u64 id;
	char comm[16];   /* of the thread that makes or removes it */
	char path[1024]; /* in the cgroup2 hierarchy; the tracepoint has no more, and cuts a longer one */
};

static __always_inline int report(__u8 event, struct cgroup *cgroup, const char *path)
{
	struct event *e;

	/* The cgroup2 hierarchy has number 0. Containers are looked for only there. */
	if (cgroup->root->hierarchy_id)
		return 0;
	e = reserve_record(event, sizeof(*e), bpf_ktime_get_ns(), true);
	if (!e)
		return 0;
	e->id = cgroup->kn->id;
	bpf_get_current_comm(e->comm, sizeof(e->comm));
	bpf_probe_read_kernel_str(e->path, sizeof(e->path), path);
	submit_record(e);
	return 0;
}

SEC("tp_btf/cgroup_mkdir")
int BPF_PROG(cgroup_make, struct cgroup *cgroup, const char *path)
{
	return report(EVENT_MADE, cgroup, path);
}

SEC("tp_btf/cgroup_rmdir")
int BPF_PROG(cgroup_remove, struct cgroup *cgroup, const char *path)
{
	return report(EVENT_REMOVED, cgroup, path);
}

EXPORT_STRUCT(event);
EXPORT_ENUM(event_id);
char LICENSE[] SEC("license") = "Dual BSD/GPL";
