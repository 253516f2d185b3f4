//go:build ignore

// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
// Processes: executions and exits.
#include "../include/filter.h"
#include "../include/owner.h"
#include "../include/path_reversed.h"
#include "../include/preemptible.h"
#include "../include/series.h"
#include "../include/shares.h"

enum event_id {
	EVENT_EXEC,
	EVENT_EXEC_ARGUMENTS, /* EVENT_EXEC with a struct arguments behind it */
	EVENT_EXIT,
};

/* Whether command-line arguments are read. They may contain secrets. */
const volatile bool read_arguments;

/* The number of arguments of btf_trace_sched_process_exit: 1; from 6.16 on 2, with whether it is the last thread. */
const volatile __u32 process_exit_arguments;

enum { SIGNAL_GROUP_EXIT = 4 }; /* include/linux/sched/signal.h: all threads exit with group_exit_code */

struct exec_event {
	struct record record;
	struct owner owner;
	__u64 start; /* of the process, ns of CLOCK_BOOTTIME */
	__u32 parent;
	__u32 vpid; /* the process's id in its own pid namespace; 0: that is the host's */
	__u32 argument_count;
	__u32 path_length;
	char path[PATH_SIZE]; /* of the executable; the last name first */
	char script[256];     /* the script that was executed, if there is one */
};

struct arguments {
	__u32 length; /* bytes of the text */
	__u32 total;  /* bytes of all arguments */
	char text[1024];
};

struct event {
	struct record record;
	struct owner owner;
	__u64 start;    /* as in exec_event */
	__u64 duration; /* ns since the start of the process */
	__u32 parent;
	__u32 vpid;
	__u32 status; /* as in wait() */
	__u32 pad;
};

/* What is counted. */
enum outcome {
	OUTCOME_EXEC,
	OUTCOME_SUCCESS,
	OUTCOME_FAILURE,
	OUTCOME_SIGNAL,
};

struct series {
	__u64 cgroup;
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
} process_counts SEC(".maps");

#define EXIT (~0U)

/* An execution or the exit of a process. */
struct change {
	__u64 start; /* of the process, ns of CLOCK_MONOTONIC */
	__u32 pid;
	__u32 execution; /* the kernel's count; EXIT: the exit */
};

/*
 * The last changes. Where programs are preemptible, a function and its fallback both run, and the first one to get here does the
 * work. The marks of missed.h are per CPU, and would not work: a preempted task may continue on another CPU. This also finds the
 * last one of several threads that exit at the same time.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct change);
	__type(value, __u8);
} process_changes SEC(".maps");

static __always_inline bool test_and_set_change(struct task_struct *task, __u32 execution)
{
	struct change c = {.start = task->group_leader->start_time, .pid = task->tgid, .execution = execution};

	return test_and_set(&process_changes, &c);
}

static __always_inline void count(const struct owner *owner, __u8 outcome, __u8 signal)
{
	static const struct counts none;
	struct series key = {.cgroup = owner->cgroup, .outcome = outcome, .signal = signal};
	struct counts *c =
		FIND_SERIES(&process_counts, &key, &none,
			    {.cgroup = OVERFLOW_CGROUP, .outcome = outcome == OUTCOME_EXEC ? OUTCOME_EXEC : OUTCOME_SUCCESS});

	if (c)
		__sync_fetch_and_add(&c->processes, 1);
}

enum { MAX_PID_NS_LEVEL = 32 }; /* include/linux/pid_namespace.h */

/*
 * Returns the process's id in its own pid namespace, 0 if that is the host's. The address is read as a number, because
 * Linux 5.10 and 6.1 refuse to add the level to a pointer that the verifier tracks; 6.12 does not.
 */
static __always_inline __u32 read_vpid(struct task_struct *task)
{
	struct pid *pid = BPF_CORE_READ(task, group_leader, thread_pid);
	unsigned int level = BPF_CORE_READ(pid, level);
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
	read_path_reversed(e->path, &e->path_length, &exe->f_path);
	e->script[0] = 0;
	if (binary->interp != binary->filename)
		bpf_probe_read_kernel_str(e->script, sizeof(e->script), binary->filename);
}

/* The kernel has just written the arguments to the new memory of the process. */
static __always_inline void read_command_line(struct arguments *a, struct task_struct *task)
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

static __always_inline void on_exec(struct task_struct *task, struct linux_binprm *binary)
{
	struct owner owner;
	struct exec_event *e;
	__u64 now;

	read_owner(&owner, task);
	if (is_excluded_process(&owner) || (is_preemptible && test_and_set_change(task, task->self_exec_id)))
		return;
	count(&owner, OUTCOME_EXEC, 0);
	if (!event_enabled(EVENT_EXEC) || !take_from_limit_of(event_kind(OUTCOME_EXEC, 0)))
		return;
	now = bpf_ktime_get_ns();
	if (read_arguments) {
		e = reserve_record(EVENT_EXEC_ARGUMENTS, sizeof(*e) + sizeof(struct arguments), now, false);
		if (!e)
			return;
		read_command_line((struct arguments *)(e + 1), task);
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
	on_exec(task, binary);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(process_exec_missed, struct task_struct *task, int old_pid, struct linux_binprm *binary)
{
	on_exec(task, binary);
	return 0;
}

static __always_inline void on_exit(struct task_struct *task, bool last)
{
	__u32 status, signal, outcome;
	struct owner owner;
	struct event *e;
	__u64 now;

	if (task->flags & PF_KTHREAD || !last)
		return;
	if ((is_preemptible || process_exit_arguments < 2) && test_and_set_change(task, EXIT))
		return;
	read_owner(&owner, task);
	if (is_excluded_process(&owner))
		return;
	if (task->signal->flags & SIGNAL_GROUP_EXIT)
		status = task->signal->group_exit_code;
	else
		status = task->group_leader->exit_code;
	signal = status & 0x7f;
	outcome = signal ? OUTCOME_SIGNAL : status ? OUTCOME_FAILURE : OUTCOME_SUCCESS;
	count(&owner, outcome, signal);
	if (!event_enabled(EVENT_EXIT) || !take_from_limit_of(event_kind(outcome, signal)))
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

/* Whether all other threads of the process have exited, or exit now. */
#define IS_LAST(task) (process_exit_arguments > 1 ? ctx[1] & 1 : (task)->signal->live.counter <= 0)

SEC("tp_btf/sched_process_exit")
int process_exit(__u64 *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx[0];

	on_exit(task, IS_LAST(task));
	return 0;
}

SEC("tp_btf/sched_process_exit")
int process_exit_missed(__u64 *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx[0];

	on_exit(task, IS_LAST(task));
	return 0;
}

EXPORT_STRUCT(event);
EXPORT_STRUCT(exec_event);
EXPORT_STRUCT(arguments);
EXPORT_ENUM(event_id);
EXPORT_ENUM(outcome);
char LICENSE[] SEC("license") = "Dual BSD/GPL";
