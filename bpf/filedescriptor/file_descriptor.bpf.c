//go:build ignore

// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
// File descriptors: a scan of those that are open, once an interval, and counts of those that are opened and closed.
#include "../include/filter.h"
#include "../include/series.h"

enum kind {
	KIND_OTHER,
	KIND_FILE,
	KIND_DIRECTORY,
	KIND_DEVICE,
	KIND_SOCKET,
	KIND_PIPE,
	KIND_EPOLL,
	KIND_EVENTFD,
	KIND_TIMERFD,
	KIND_SIGNALFD,
	KIND_INOTIFY,
	KIND_PIDFD,
	KIND_IO_URING,
	KIND_BPF,
	KIND_PERF_EVENT,
	KINDS,
};

enum operation {
	OPERATION_OPEN,
	OPERATION_CLOSE,
};

/* The open descriptors of a task and of all that share its table. */
struct table {
	struct owner owner;
	__u64 start;  /* of the process, ns of CLOCK_MONOTONIC */
	__u32 thread; /* the first one of the process, or one with another table */
	__u32 open[KINDS];
};

/* A scan of all descriptors of the host. They come one after the other, those of a table together. */
struct scan {
	__u64 number; /* of the scan */
	__u64 start;  /* of the task whose descriptors come now, as above */
	__u32 thread; /* its id; 0: none yet */
	__u32 counted;
	struct table table;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scan);
} file_descriptor_scan SEC(".maps");

struct table_id {
	__u64 address;
	__u32 pid;
	__u32 pad;
};

/* Tables that are not those of a process's first thread, with the number of the last scan that has counted them. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct table_id);
	__type(value, __u64);
} file_descriptor_tables SEC(".maps");

struct series {
	__u64 cgroup;
	__u32 operation;
	__u32 kind;
};

struct counts {
	__u64 operations;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct series);
	__type(value, struct counts);
} file_descriptor_operations SEC(".maps");

enum { FMODE_PATH = 0x4000 };              /* include/linux/fs.h */
enum { ANON_INODE_FS_MAGIC = 0x09041934 }; /* include/uapi/linux/magic.h */
enum { PID_FS_MAGIC = 0x50494446 };

/* Compares the beginning of the name of an anonymous inode; eight bytes are enough to tell them apart. */
static __always_inline bool begins_with(const char *name, const char *with, int bytes)
{
	return !__builtin_memcmp(name, with, bytes);
}

static __always_inline __u32 anonymous_kind(struct file *file)
{
	char name[8] = {};

	bpf_probe_read_kernel(name, sizeof(name), file->f_path.dentry->d_name.name);
	if (begins_with(name, "[eventpoll]", 8))
		return KIND_EPOLL;
	if (begins_with(name, "[eventfd]", 8))
		return KIND_EVENTFD;
	if (begins_with(name, "[timerfd]", 8))
		return KIND_TIMERFD;
	if (begins_with(name, "[signalfd]", 8))
		return KIND_SIGNALFD;
	if (begins_with(name, "inotify", 8))
		return KIND_INOTIFY;
	if (begins_with(name, "[pidfd]", 8))
		return KIND_PIDFD;
	if (begins_with(name, "[io_uring]", 8))
		return KIND_IO_URING;
	if (begins_with(name, "[perf_event]", 8))
		return KIND_PERF_EVENT;
	if (begins_with(name, "bpf", 3) || begins_with(name, "btf", 4))
		return KIND_BPF;
	return KIND_OTHER;
}

static __always_inline __u32 kind_of(struct file *file)
{
	struct inode *inode = file->f_inode;
	__u32 type = inode->i_mode & S_IFMT;
	unsigned long magic;

	if (type == S_IFDIR)
		return KIND_DIRECTORY;
	if (file->f_mode & FMODE_PATH)
		return KIND_FILE; /* O_PATH: a place in the file system, whatever is there */
	if (type == S_IFSOCK)
		return KIND_SOCKET;
	if (type == S_IFIFO)
		return KIND_PIPE;
	if (type == S_IFCHR || type == S_IFBLK)
		return KIND_DEVICE;
	/* Newer kernels say that anonymous inodes are regular files. */
	magic = inode->i_sb->s_magic;
	if (magic == ANON_INODE_FS_MAGIC)
		return anonymous_kind(file);
	if (magic == PID_FS_MAGIC)
		return KIND_PIDFD;
	return type == S_IFREG ? KIND_FILE : KIND_OTHER;
}

/*
 * Whether a task's table is counted already in this scan; it is from now on. Most threads share the table of the first one of
 * their process. Others, and those whose first one has ended, may share one among themselves.
 */
static __always_inline bool test_and_set_table(struct task_struct *task, __u64 scan)
{
	struct table_id id = {.pid = task->tgid};
	__u64 *last;

	if (task->pid == task->tgid)
		return false;
	id.address = (__u64)task->files;
	if (id.address == (__u64)task->group_leader->files)
		return true;
	last = bpf_map_lookup_elem(&file_descriptor_tables, &id);
	if (last && *last == scan)
		return true;
	bpf_map_update_elem(&file_descriptor_tables, &id, &scan, BPF_ANY);
	return false;
}

static __always_inline void begin_table(struct scan *s, struct task_struct *task)
{
	s->thread = task->pid;
	s->start = task->start_time;
	s->counted = false;
	if (test_and_set_table(task, s->number))
		return;
	__builtin_memset(&s->table, 0, sizeof(s->table));
	read_owner(&s->table.owner, task);
	if (!s->table.owner.pid || is_excluded_process(&s->table.owner))
		return;
	s->table.start = task->group_leader->start_time;
	s->table.thread = task->pid;
	s->counted = true;
}

/* Writes what was counted. Returns false if there is no room: the kernel calls again with the same file then. */
static __always_inline bool end_table(struct scan *s, struct seq_file *seq)
{
	if (s->counted && bpf_seq_write(seq, &s->table, sizeof(s->table)))
		return false;
	s->counted = false;
	return true;
}

/* Called for each descriptor of each task, and at the end without a descriptor. */
SEC("iter/task_file")
int file_descriptor_scan_tasks(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	__u32 zero = 0, thread, kind;
	struct scan *s;

	s = bpf_map_lookup_elem(&file_descriptor_scan, &zero);
	if (!s)
		return 0;
	if (!task || !file) {
		end_table(s, ctx->meta->seq);
		return 0;
	}
	thread = task->pid;
	if (s->thread != thread || s->start != task->start_time) {
		if (!end_table(s, ctx->meta->seq))
			return 0;
		begin_table(s, task);
	}
	if (!s->counted)
		return 0;
	kind = kind_of(file);
	if (kind < KINDS)
		s->table.open[kind]++;
	return 0;
}

static __always_inline bool is_excluded_current(void)
{
	struct owner owner;

	if (self_pid && bpf_get_current_pid_tgid() >> 32 == self_pid)
		return true;
	if (!exclude_executables && !include_executables && !include_cgroups)
		return false;
	read_owner(&owner, current_task());
	return is_excluded_process(&owner);
}

static __always_inline void count(__u32 operation, struct file *file)
{
	static const struct counts none;
	struct series key = {.operation = operation};
	struct counts *c;

	if (is_excluded_current())
		return;
	key.cgroup = bpf_get_current_cgroup_id();
	key.kind = kind_of(file);
	c = FIND_SERIES(&file_descriptor_operations, &key, &none, {.cgroup = OVERFLOW_CGROUP, .operation = operation});
	if (c)
		__sync_fetch_and_add(&c->operations, 1);
}

static __always_inline void count_close(struct file *file, void *files)
{
	struct task_struct *task = current_task();
	unsigned int flags = READ(by_address, task, flags);

	/* Without a table it is the kernel's own file. The files that an exiting process has open do not count as closed. */
	if (files && !(flags & PF_EXITING))
		count(OPERATION_CLOSE, file);
}

SEC("fentry/fd_install")
int BPF_PROG(file_descriptor_open, unsigned int fd, struct file *file)
{
	count(OPERATION_OPEN, file);
	return 0;
}

/* dup2() and the like replace a file, which the kernel closes after this. */
SEC("fexit/do_dup2")
int BPF_PROG(file_descriptor_dup2, struct files_struct *files, struct file *file, unsigned int fd, unsigned int flags, int err)
{
	if (err >= 0)
		count(OPERATION_OPEN, file);
	return 0;
}

/* From Linux 6.6 on, where close() does not call filp_close(). */
SEC("fentry/filp_flush")
int BPF_PROG(file_descriptor_flush, struct file *file, void *files)
{
	count_close(file, files);
	return 0;
}

SEC("fentry/filp_close")
int BPF_PROG(file_descriptor_close, struct file *file, void *files)
{
	count_close(file, files);
	return 0;
}

EXPORT_ENUM(kind);
EXPORT_ENUM(operation);
char LICENSE[] SEC("license") = "Dual BSD/GPL";
