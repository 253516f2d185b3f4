/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Containers that are selected by their ids. Their cgroups have the ids as names, so a container that starts later is known from its
 * first process on, and nothing must be updated when containers start and end.
 */
#pragma once

#include "kernel.h"

enum {
	CONTAINER_ID = 64,      /* digits of an id */
	CGROUP_NAME = 256,      /* the longest name of a cgroup, and the zero behind it */
	MAX_CGROUP_LEVELS = 32, /* how many nested cgroups are checked */
};

/* The beginning of a selected id. */
struct container_id {
	__u32 prefix_length; /* bits */
	__u8 digits[CONTAINER_ID];
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct container_id);
	__type(value, __u8);
} selected_containers SEC(".maps");

/*
 * Whether a cgroup is that of a selected container. Its name ends with the id; with systemd ".scope" follows, as in
 * "docker-ID.scope". The cgroup of a container's monitor, a process of the host, ends with the id too: "crio-conmon-ID.scope".
 */
static __always_inline bool is_wanted_container(const char *name)
{
	struct container_id id = {.prefix_length = 8 * sizeof(id.digits)};
	char text[CGROUP_NAME], scope[6], monitor[7];
	long end = bpf_probe_read_kernel_str(text, sizeof(text), name) - 1;

	if (end < CONTAINER_ID)
		return false;
	bpf_probe_read_kernel(scope, sizeof(scope), name + end - sizeof(scope));
	if (!__builtin_memcmp(scope, ".scope", sizeof(scope)))
		end -= sizeof(scope);
	if (end < CONTAINER_ID)
		return false;
	end -= CONTAINER_ID;
	if (end >= (long)sizeof(monitor)) {
		bpf_probe_read_kernel(monitor, sizeof(monitor), name + end - sizeof(monitor));
		if (!__builtin_memcmp(monitor, "conmon-", sizeof(monitor)))
			return false;
	}
	bpf_probe_read_kernel(id.digits, sizeof(id.digits), name + end);
	return bpf_map_lookup_elem(&selected_containers, &id);
}

/* Whether a cgroup is that of a selected container, or is below it. */
static __always_inline bool is_in_wanted_container(struct cgroup *cgroup)
{
	for (int i = 0; i < MAX_CGROUP_LEVELS && cgroup; i++) {
		if (is_wanted_container(BPF_CORE_READ(cgroup, kn, name)))
			return true;
		cgroup = BPF_CORE_READ(cgroup, self.parent, cgroup);
	}
	return false;
}
