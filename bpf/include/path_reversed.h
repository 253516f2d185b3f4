/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* The path of a file in one pass: its names from the last one to the first. User space puts them in order. See also path.h. */
#pragma once

#include "walk.h"

#define PATH_ROOM 512
#define PATH_SIZE (PATH_ROOM + NAME_SIZE)
/* Names and mounts: a path of 512 bytes has at most 256 names. */
#define PATH_STEPS 300

/*
 * Reads the names of a path, the last one first, each with a zero behind it. Sets their length in bytes; 0 if there is no room
 * for all of them. Paths of up to 512 bytes fit. The length is in memory, where the verifier takes it for any number: all ways
 * through a step look the same to it, and it follows only one.
 */
static __always_inline void read_path_reversed(char *names, volatile __u32 *length, const struct path *path)
{
	struct step step = {.dentry = BPF_CORE_READ(path, dentry), .mount = mount_of(BPF_CORE_READ(path, mnt))};

	*length = 0;
	for (int i = 0; i < PATH_STEPS; i++) {
		__u64 at = *length;
		enum walk walk = leave_mount(&step);
		long n;

		if (walk == WALK_ROOT)
			return;
		if (walk == WALK_MOUNT)
			continue;
		if (at >= PATH_ROOM)
			break;
		/* The verifier does not see the bound through what the compiler makes of it. */
		barrier_var(at);
		n = read_name(names + (at & (PATH_ROOM - 1)), step.dentry);
		if (n <= 0)
			break;
		*length += n;
		if (!leave_directory(&step))
			return;
	}
	*length = 0;
}
