/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* The events and series of files, and how deletions and opens are counted and reported, whatever the way to see them. */
#pragma once

#include "../include/filter.h"
#include "../include/path.h"
#include "../include/series.h"
#include "../include/shares.h"

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
enum { RENAME_NOREPLACE = 1 << 0, RENAME_EXCHANGE = 1 << 1 };
enum { RESOLVE_IN_ROOT = 0x10 };
enum { O_WRONLY = 1, O_RDWR = 2, O_CREAT = 0100, O_TRUNC = 01000, O_NONBLOCK = 04000, FMODE_EXEC = 0x20 };

/* Whether opens are reported at all. */
const volatile bool report_opens;

/* Whether only opens that can change the file are reported. */
const volatile bool opens_write_only;

/* What was done, or failed. */
struct outcome {
	__u32 flags; /* of an open, as open() has them */
	__u16 error; /* errno; 0: none */
	__u8 operation;
	bool uncertain; /* it is not known whether a file was deleted */
};

/* See shares.h. */
static __always_inline __u32 kind_of_outcome(const struct outcome *o)
{
	return event_kind(o->operation, o->error);
}

struct event {
	struct record record;
	struct owner owner;
	__u32 flags; /* this and the next three are those of struct outcome */
	__u16 error;
	__u8 operation;
	__u8 uncertain;
	__u16 root;   /* bytes of the path that are the path of the process's root */
	__u16 base;   /* bytes that are the path of a directory; the rest is as the process gave it */
	__u32 length; /* bytes of the path, which follows the struct; 0: not known */
};

/* Room for the path in a record. Most paths are short. */
enum { SHORT_PATH = 256, LONG_PATH = 2 * PATH_MAX };

struct series {
	__u64 cgroup;
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
} file_operations SEC(".maps");

/* Buffers for paths. There is one for each operation, because functions for different operations can interrupt each other. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, OPERATIONS);
	__type(key, __u32);
	__type(value, struct pathname);
} file_paths SEC(".maps");

#define PREFIX_SIZE 256

struct prefix {
	__u32 length; /* bits */
	char text[PREFIX_SIZE];
};

_Static_assert(offsetof(struct pathname, text) - offsetof(struct pathname, prefix_length) == offsetof(struct prefix, text),
	       "the end of a struct pathname is a struct prefix");

/* The paths below which opens are reported. Each is there with a slash behind it, and with a zero for the path itself. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 256);
	__type(key, struct prefix);
	__type(value, __u8);
} file_opened_paths SEC(".maps");

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct filename {
	const char *name;
};

struct open_how {
	__u64 flags;
	__u64 resolve;
};

#pragma clang attribute pop

static __always_inline void count(const struct owner *owner, const struct outcome *o)
{
	static const struct counts none;
	struct series key = {
		.cgroup = owner->cgroup,
		.error = o->error,
		.operation = o->operation,
		.uncertain = o->uncertain,
	};
	struct counts *c = FIND_SERIES(
		&file_operations, &key, &none,
		{.cgroup = OVERFLOW_CGROUP, .operation = o->operation == OPERATION_OPEN ? OPERATION_OPEN : OPERATION_UNLINK});

	if (c)
		__sync_fetch_and_add(&c->operations, 1);
}

static __always_inline struct pathname *path_buffer(__u32 operation)
{
	return bpf_map_lookup_elem(&file_paths, &operation);
}

static __noinline int emit(const struct owner *owner, const struct pathname *p, const struct outcome *o)
{
	enum event_id id = o->operation == OPERATION_OPEN ? EVENT_OPEN : EVENT_DELETE;
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
	e->flags = o->flags;
	e->error = o->error;
	e->operation = o->operation;
	e->uncertain = o->uncertain;
	e->root = p->root;
	e->base = p->base;
	e->length = p->length;
	submit_record(e);
	return 0;
}

/* What a system call or a request that deletes has done. Returns false if that is of no interest. */
static __always_inline bool describe_deletion(struct outcome *o, __u8 operation, long result)
{
	o->flags = 0;
	o->operation = operation;
	o->error = result < 0 ? -result : 0;
	/* A call that renames does not say whether there was a file of the new name. But some of its errors mean that there was. */
	o->uncertain = operation == OPERATION_RENAME && !o->error;
	return operation != OPERATION_RENAME || !o->error || o->error == ENOTEMPTY || o->error == EISDIR;
}

/* Counts a deletion by the current process, and returns the buffer for its path; NULL if it is not reported. */
static __always_inline struct pathname *count_deletion(struct owner *owner, const struct outcome *o)
{
	read_owner(owner, current_task());
	if (is_excluded_process(owner))
		return NULL;
	count(owner, o);
	if (!event_enabled(EVENT_DELETE) || !take_from_limit_of(kind_of_outcome(o)))
		return NULL;
	return path_buffer(o->operation);
}

struct opening {
	struct file *file; /* if it was opened */
	struct given_name name;
	__u32 flags;
	__u16 error; /* errno; 0: none */
};

static __always_inline bool is_selected_open(__u32 flags)
{
	return !opens_write_only || flags & (O_WRONLY | O_RDWR | O_TRUNC);
}

/* Counts and reports an open if its path is selected. */
static __always_inline int report_open(const struct owner *owner, struct pathname *p, const struct outcome *o)
{
	p->prefix_length = PREFIX_SIZE * 8;
	if (!p->length || !bpf_map_lookup_elem(&file_opened_paths, &p->prefix_length))
		return 0;
	count(owner, o);
	if (!event_enabled(EVENT_OPEN) || !take_from_limit_of(kind_of_outcome(o)))
		return 0;
	return emit(owner, p, o);
}

static __always_inline void read_file_path(struct pathname *p, struct file *file)
{
	read_found_path(p, BPF_CORE_READ(file, f_path.dentry), BPF_CORE_READ(file, f_path.mnt));
}

/* Handles an open by the current process. If it failed, the path is that of the given name. */
static __noinline int handle_open(const struct opening *opening)
{
	struct outcome o = {.operation = OPERATION_OPEN, .error = opening->error, .flags = opening->flags};
	struct pathname *p = path_buffer(OPERATION_OPEN);
	struct owner owner;

	if (!p)
		return 0;
	read_owner(&owner, current_task());
	if (is_excluded_process(&owner))
		return 0;
	if (opening->error)
		read_given_path(p, &opening->name);
	else
		read_file_path(p, opening->file);
	return report_open(&owner, p, &o);
}
