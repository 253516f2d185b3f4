//go:build ignore

// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
// Processes: what they execute, and how they end.
#include "../include/filter.h"
#include "../include/path.h"
#include "../include/series.h"

enum event_id {
	EVENT_EXEC,
	EVENT_EXEC_ARGUMENTS, /* the same with struct arguments behind it */
	EVENT_EXIT,
};

/* Whether the arguments of what is executed are read: they may hold secrets. */
const volatile bool read_arguments;

/* How many arguments btf_trace_sched_process_exit has here: 1; 2 with whether the thread is the process's last (6.16). */
const volatile __u32 process_exit_arguments;

/* Whether another task can run in the middle of a function, as from Linux 6.19 on, so that each has a substitute. */
const volatile bool is_preemptible;

enum { SIGNAL_GROUP_EXIT = 4 }; /* include/linux/sched/signal.h: group_exit_code is that of all threads */

struct exec_event {
	struct record record;
	struct owner owner;
	__u64 start; /* of the process, ns of CLOCK_BOOTTIME */
	__u32 parent;
	__u32 vpid; /* the process's id in its own pid namespace; 0: that is the host's */
	__u32 argument_count;
	__u32 path_length;
	char path[PATH_SIZE]; /* of the executable, the names from its end on */
	char script[256];     /* what was asked for, if that is not the executable but a script for it */
};

struct arguments {
	__u32 length; /* of text */
	__u32 total;  /* bytes that there are */
	char text[1024];
};

struct event {
	struct record record;
	struct owner owner;
	__u64 start;    /* as in exec_event */
	__u64 duration; /* ns since the process was made */
	__u32 parent;
	__u32 vpid;
	__u32 status; /* as wait() has it */
	__u32 pad;
};

/* What is counted: executions, and ends by their kind. */
enum outcome {
	OUTCOME_EXEC,
	OUTCOME_SUCCESS,
	OUTCOME_FAILURE,
	OUTCOME_SIGNAL,
};

struct series {
	__u64 cgroup; /* ~0: the series of everything that found no room */
	__u8 outcome;
	__u8 signal;
	__u16 pad;
	__u32 pad2;
};

struct counts {
	__u64 processes;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct series);
	__type(value, struct counts);
} processes SEC(".maps");

#define THE_END (~0U)

/* An execution of a process, or its end. */
struct change {
	__u64 start; /* of the process, ns of CLOCK_MONOTONIC */
	__u32 pid;
	__u32 execution; /* by the kernel's count; THE_END: none, but the end */
};

/*
 * What has been seen last. Where functions are hooked twice, the run that is the first to get here does the work: the kernel
 * lets another task run in the middle of one, and leaves out what that runs into meanwhile. By the process and not as
 * in substitute.h by the CPU, from which the task may have been moved between the two. It also tells which of the threads
 * that end at the same time is the last one.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct change);
	__type(value, __u8);
} changes SEC(".maps");

static __always_inline bool is_seen(struct task_struct *task, __u32 execution)
{
	struct change c = {.start = task->group_leader->start_time, .pid = task->tgid, .execution = execution};

	return is_known(&changes, &c);
}

static __always_inline void count(const struct owner *owner, __u8 outcome, __u8 signal)
{
	static const struct counts none;
	struct series key = {.cgroup = owner->cgroup, .outcome = outcome, .signal = signal};
	struct counts *c = FIND_SERIES(&processes, &key, &none,
				       {.cgroup = OVERFLOW_CGROUP, .outcome = outcome == OUTCOME_EXEC ? OUTCOME_EXEC : OUTCOME_SUCCESS});

	if (c)
		__sync_fetch_and_add(&c->processes, 1);
}

enum { MAX_PID_NS_LEVEL = 32 }; /* include/linux/pid_namespace.h */

/* Returns the process's id in its own pid namespace, 0 if that is the host's. */
static __always_inline __u32 read_vpid(struct task_struct *task)
{
	struct pid *pid = task->group_leader->thread_pid;
	unsigned int level = pid->level;
	void *number = (void *)&pid->numbers[0].nr;
	__u32 vpid = 0;

	if (level > 0 && level <= MAX_PID_NS_LEVEL)
		bpf_probe_read_kernel(&vpid, sizeof(vpid), number + level * bpf_core_type_size(struct upid));
	return vpid;
}

static __always_inline void read_exec(struct exec_event *e, const struct owner *owner, struct task_struct *task,
				      struct linux_binprm *binary)
{
	struct file *exe = task->mm->exe_file;

	e->owner = *owner;
	e->start = task->group_leader->start_boottime;
	e->parent = task->real_parent->tgid;
	e->vpid = read_vpid(task);
	e->argument_count = binary->argc;
	read_path(e->path, &e->path_length, &exe->f_path);
	e->script[0] = 0;
	if (binary->interp != binary->filename)
		bpf_probe_read_kernel_str(e->script, sizeof(e->script), binary->filename);
}

/* The memory is the new one, whose arguments have been written there just now. */
static __always_inline void read_all_arguments(struct arguments *a, struct task_struct *task)
{
	unsigned long start = task->mm->arg_start;
	__u64 total = task->mm->arg_end - start;
	__u64 length = total;

	if (length > sizeof(a->text))
		length = sizeof(a->text);
	if (bpf_probe_read_user(a->text, length, (void *)start))
		length = 0;
	a->length = length;
	a->total = total;
}

static __always_inline void executed(struct task_struct *task, struct linux_binprm *binary)
{
	struct owner owner;
	struct exec_event *e;
	__u64 now;

	read_owner(&owner, task);
	if (is_excluded_owner(&owner) || (is_preemptible && is_seen(task, task->self_exec_id)))
		return;
	count(&owner, OUTCOME_EXEC, 0);
	if (!event_enabled(EVENT_EXEC) || !within_limit())
		return;
	now = bpf_ktime_get_ns();
	if (read_arguments) {
		e = reserve_record(EVENT_EXEC_ARGUMENTS, sizeof(*e) + sizeof(struct arguments), now, false);
		if (!e)
			return;
		read_all_arguments((struct arguments *)(e + 1), task);
	} else {
		e = reserve_record(EVENT_EXEC, sizeof(*e), now, false);
		if (!e)
			return;
	}
	read_exec(e, &owner, task, binary);
	submit_record(e);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(process_exec, struct task_struct *task, int old_pid, struct linux_binprm *binary)
{
	executed(task, binary);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(substitute_exec, struct task_struct *task, int old_pid, struct linux_binprm *binary)
{
	executed(task, binary);
	return 0;
}

static __always_inline void ended(struct task_struct *task, bool last)
{
	__u32 status, signal;
	struct owner owner;
	struct event *e;
	__u64 now;

	if (task->flags & PF_KTHREAD || !last)
		return;
	if ((is_preemptible || process_exit_arguments < 2) && is_seen(task, THE_END))
		return;
	read_owner(&owner, task);
	if (is_excluded_owner(&owner))
		return;
	if (task->signal->flags & SIGNAL_GROUP_EXIT)
		status = task->signal->group_exit_code;
	else
		status = task->group_leader->exit_code;
	signal = status & 0x7f;
	count(&owner, signal ? OUTCOME_SIGNAL : status ? OUTCOME_FAILURE : OUTCOME_SUCCESS, signal);
	if (!event_enabled(EVENT_EXIT) || !within_limit())
		return;
	now = bpf_ktime_get_ns();
	e = reserve_record(EVENT_EXIT, sizeof(*e), now, false);
	if (!e)
		return;
	e->owner = owner;
	e->start = task->group_leader->start_boottime;
	e->duration = now - task->group_leader->start_time;
	e->parent = task->real_parent->tgid;
	e->vpid = read_vpid(task);
	e->status = status;
	e->pad = 0;
	submit_record(e);
}

/* Whether no thread of the process is left but those that end now. */
#define IS_LAST(task) (process_exit_arguments > 1 ? ctx[1] & 1 : (task)->signal->live.counter <= 0)

SEC("tp_btf/sched_process_exit")
int process_exit(__u64 *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx[0];

	ended(task, IS_LAST(task));
	return 0;
}

SEC("tp_btf/sched_process_exit")
int substitute_exit(__u64 *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx[0];

	ended(task, IS_LAST(task));
	return 0;
}

EXPORT_STRUCT(event);
EXPORT_STRUCT(exec_event);
EXPORT_STRUCT(arguments);
EXPORT_ENUM(event_id);
EXPORT_ENUM(outcome);
char LICENSE[] SEC("license") = "Dual BSD/GPL";
