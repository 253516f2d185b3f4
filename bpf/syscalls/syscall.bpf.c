//go:build ignore

// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
// System calls: durations, errors, and slow calls.
#include "../include/container.h"
#include "../include/fd.h"
#include "../include/filter.h"
#include "../include/histogram.h"
#include "../include/preemptible.h"
#include "../include/registers.h"
#include "../include/shares.h"

enum event_id {
	EVENT_SLOW,
};

/*
 * Calls have their kernel's number, which is below 1024. Calls of the 32-bit table have CALLS_COMPAT added. CALL_UNKNOWN is for
 * all calls that are in no table.
 */
enum call_limits {
	CALLS_COMPAT = 1024,
	CALLS = 2048,
	CALL_UNKNOWN = CALLS_COMPAT - 1,
};

/* What has to be known of a call beside its number. */
enum call_kind {
	KIND_ORDINARY,
	KIND_WAITS,             /* by design */
	KIND_WAITS_UNLESS_FILE, /* unless its first argument is the descriptor of a file */
	KIND_OPENS,             /* a file: that of a FIFO waits for the other side */
	KIND_FCNTL,             /* the command says whether it waits, and whether a negative result is an error */
	KIND_CLONES,            /* waits for the child with CLONE_VFORK */
	KIND_CLONES3,           /* as KIND_CLONES, with the flags in memory */
	KIND_NO_RESULT,         /* returns to code that a signal interrupted, with that code's register for a result */
};

const volatile __u8 call_kinds[CALLS];

/* A bit for each call that is measured. A call that does not return is not. */
const volatile __u64 wanted_calls[CALLS / 64];

/* ns; a call that takes as long or longer is slow. ~0: none is. */
const volatile __u64 slow_threshold;

/* Whether calls are counted by cgroup, and by the slots of the histogram. Otherwise both are 0 in the keys of the map. */
const volatile bool by_container;
const volatile bool with_buckets;

/* Whether slow calls that block are events. */
const volatile bool report_waiting;

enum { MAX_ERRNO = 4095 };
enum { F_SETLKW = 7, F_GETOWN = 9, F_SETLKW64 = 14, F_OFD_SETLKW = 38 };
enum { CLONE_VFORK = 0x4000 };

/* Whether only the calls of some executables, and only those of some containers, are measured. */
const volatile bool only_executables;
const volatile bool only_containers;

/* Whether tracing programs have no storage in tasks: before Linux 5.13. */
const volatile bool no_task_storage;

struct event {
	struct record record;
	struct owner owner;
	__u64 duration; /* ns */
	__s64 result;   /* of the kernel: an error is negative */
	__u32 call;
	__u16 error; /* errno; 0: none */
	__u16 pad;
};

/* The calls of a cgroup with one error whose durations are in one slot of the histogram. */
struct series {
	__u64 cgroup;
	__u16 call;
	__u16 error; /* errno; in the overflow series 1 for any */
	__u16 slot;
	__u16 pad;
};

struct counts {
	__u64 calls;
	__u64 time; /* ns */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct series);
	__type(value, struct counts);
} syscall_counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct executable);
	__type(value, __u8);
} syscall_executables SEC(".maps");

/* The state of a thread. */
struct thread {
	__u64 start;  /* ns: of the call that is under way; 0: none that is measured */
	__u64 mm;     /* address of the memory for which `unwanted` holds: an execution brings another one */
	__u64 cgroup; /* for which `outside` holds: threads can be moved */
	__u32 call;
	bool unwanted; /* the process is excluded, or not selected */
	bool outside;  /* of the selected containers */
	__u16 pad;
};

/* The kernel frees the storage with the thread. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct thread);
} syscall_threads SEC(".maps");

/* Before Linux 5.13, by the address of the task_struct, which stays the same in an execution. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, struct thread);
} syscall_by_address SEC(".maps");

static __always_inline bool has(const volatile __u64 *calls, __u32 call)
{
	return calls[call / 64 % (CALLS / 64)] >> (call % 64) & 1;
}

static __always_inline enum call_kind kind_of(__u32 call)
{
	return call_kinds[call % CALLS];
}

static __always_inline __u32 call_of(struct task_struct *task, __u64 number)
{
	__u32 call = number & ~X32_SYSCALL_BIT;

	if (call > CALL_UNKNOWN)
		call = CALL_UNKNOWN;
	return is_compat_call(task, by_address) ? call + CALLS_COMPAT : call;
}

static __always_inline struct thread *find_thread(struct task_struct *task)
{
	__u64 address = (__u64)task;

	if (no_task_storage)
		return bpf_map_lookup_elem(&syscall_by_address, &address);
	return bpf_task_storage_get(&syscall_threads, task, NULL, 0);
}

static __always_inline struct thread *add_thread(struct task_struct *task)
{
	static const struct thread none;
	__u64 address = (__u64)task;

	if (!no_task_storage)
		return bpf_task_storage_get(&syscall_threads, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	bpf_map_update_elem(&syscall_by_address, &address, &none, BPF_NOEXIST);
	return bpf_map_lookup_elem(&syscall_by_address, &address);
}

static __always_inline bool is_unwanted(struct task_struct *task)
{
	struct owner owner;

	read_owner(&owner, task);
	if (is_excluded_process(&owner))
		return true;
	return only_executables && !bpf_map_lookup_elem(&syscall_executables, owner.executable);
}

static __always_inline __u64 cgroup_of(struct task_struct *task)
{
	return READ(by_address, task, cgroups, dfl_cgrp, kn, id);
}

/* Keeps the answer with the thread. */
static __always_inline bool check_outside(struct thread *t, struct task_struct *task)
{
	__u64 cgroup;

	if (!only_containers)
		return false;
	cgroup = cgroup_of(task);
	if (t->cgroup != cgroup) {
		t->cgroup = cgroup;
		t->outside = !is_in_wanted_container(BPF_CORE_READ(task, cgroups, dfl_cgrp));
	}
	return t->outside;
}

static __always_inline void on_enter(struct task_struct *task, __u64 number)
{
	__u32 call = call_of(task, number);
	struct thread *t = find_thread(task);
	bool wanted = has(wanted_calls, call);
	__u64 mm;

	/* If the exit from the call before was missed, the next one is not that. */
	if (t)
		t->start = 0;
	if (!wanted)
		return;
	if (!t)
		t = add_thread(task);
	if (!t) {
		count_loss(LOSS_MAP_FULL);
		return;
	}
	mm = (__u64)READ(by_address, task, mm);
	if (t->mm != mm) {
		t->mm = mm;
		t->unwanted = is_unwanted(task);
	}
	if (t->unwanted || check_outside(t, task))
		return;
	t->call = call;
	t->start = bpf_ktime_get_ns();
}

SEC("tp_btf/sys_enter")
int syscall_enter(__u64 *ctx)
{
	on_enter(current_task(), ctx[1]);
	return 0;
}

SEC("tp_btf/sys_enter")
int syscall_enter_missed(__u64 *ctx)
{
	struct task_struct *task = current_task();
	struct thread *t = find_thread(task);

	if (!t || !t->start)
		on_enter(task, ctx[1]);
	return 0;
}

/* Unless programs are preemptible, nothing else adds to the counts of this CPU meanwhile. */
static __always_inline void count(const struct series *key, __u64 duration)
{
	static const struct counts none;
	struct counts *c = FIND_SERIES(&syscall_counts, key, &none,
				       {.cgroup = OVERFLOW_CGROUP, .error = key->error != 0, .slot = key->slot});

	if (!c)
		return;
	if (is_preemptible) {
		__sync_fetch_and_add(&c->calls, 1);
		__sync_fetch_and_add(&c->time, duration);
	} else {
		c->calls++;
		c->time += duration;
	}
}

/* Whether a descriptor is that of a file, a directory or a disk, which never wait for another process. */
static __always_inline bool is_file(struct task_struct *task, __u32 fd)
{
	struct file *file = file_of_fd(task, fd);

	if (!file)
		return false;
	switch (type_of_file(file)) {
	case S_IFREG:
	case S_IFDIR:
	case S_IFBLK:
		return true;
	}
	return false;
}

static __always_inline bool is_fifo(struct task_struct *task, __u32 fd)
{
	struct file *file = file_of_fd(task, fd);

	return file && type_of_file(file) == S_IFIFO;
}

static __always_inline bool waits_for_lock(__u64 command)
{
	return command == F_SETLKW || command == F_SETLKW64 || command == F_OFD_SETLKW;
}

/* Whether a call waits by design: for time, locks, processes or peers. */
static __always_inline bool is_waiting(struct task_struct *task, const void *regs, __u32 call, long result)
{
	bool compat = call >= CALLS_COMPAT;
	__u64 flags = 0;

	switch (kind_of(call)) {
	case KIND_WAITS:
		return true;
	case KIND_WAITS_UNLESS_FILE:
		return !is_file(task, first_argument(regs, compat));
	case KIND_OPENS:
		/* A signal interrupts an open only while that waits. */
		return result >= 0 ? is_fifo(task, result) : result == -EINTR || result == -ERESTARTSYS;
	case KIND_FCNTL:
		return waits_for_lock(second_argument(regs, compat));
	case KIND_CLONES:
		return first_argument(regs, compat) & CLONE_VFORK;
	case KIND_CLONES3:
		bpf_probe_read_user(&flags, sizeof(flags), (void *)first_argument(regs, compat));
		return flags & CLONE_VFORK;
	default:
		return false;
	}
}

/* The errno of a result, 0 if it is not an error. F_GETOWN returns a process group as a negative number, too. */
static __always_inline __u16 error_of(struct task_struct *task, const void *regs, __u32 call, long result)
{
	bool compat = call >= CALLS_COMPAT;

	if (result >= 0 || result < -MAX_ERRNO)
		return 0;
	switch (kind_of(call)) {
	case KIND_NO_RESULT:
		return 0;
	case KIND_FCNTL:
		if (second_argument(regs, compat) == F_GETOWN && file_of_fd(task, first_argument(regs, compat)))
			return 0;
		return -result;
	default:
		return -result;
	}
}

static __always_inline void report_slow(struct task_struct *task, const void *regs, const struct series *key, long result,
					__u64 duration, __u64 now)
{
	struct event *e;

	if (!event_enabled(EVENT_SLOW))
		return;
	if (!report_waiting && is_waiting(task, regs, key->call, result))
		return;
	if (!take_from_limit_of(event_kind(key->call, key->error)))
		return;
	e = reserve_record(EVENT_SLOW, sizeof(*e), now, false);
	if (!e)
		return;
	read_owner(&e->owner, task);
	e->duration = duration;
	e->result = result;
	e->call = key->call;
	e->error = key->error;
	e->pad = 0;
	submit_record(e);
}

static __always_inline void on_exit(struct task_struct *task, const void *regs, long result)
{
	struct thread *t = find_thread(task);
	struct series key = {};
	__u64 now, duration;

	if (!t || !t->start)
		return;
	now = bpf_ktime_get_ns();
	duration = now - t->start;
	t->start = 0;
	if (by_container)
		key.cgroup = cgroup_of(task);
	key.call = t->call;
	key.error = error_of(task, regs, t->call, result);
	if (with_buckets)
		key.slot = histogram_slot(duration);
	count(&key, duration);
	if (duration >= slow_threshold)
		report_slow(task, regs, &key, result, duration, now);
}

SEC("tp_btf/sys_exit")
int syscall_exit(__u64 *ctx)
{
	on_exit(current_task(), (const void *)ctx[0], ctx[1]);
	return 0;
}

/* The fallback: it finds that no call is under way, unless the first function was skipped. */
SEC("tp_btf/sys_exit")
int syscall_exit_missed(__u64 *ctx)
{
	on_exit(current_task(), (const void *)ctx[0], ctx[1]);
	return 0;
}

/* Before Linux 5.13, where the kernel does not free the state of a thread. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(syscall_forget, struct task_struct *task)
{
	__u64 address = (__u64)task;

	bpf_map_delete_elem(&syscall_by_address, &address);
	return 0;
}

EXPORT_STRUCT(event);
EXPORT_ENUM(event_id);
EXPORT_ENUM(call_limits);
EXPORT_ENUM(call_kind);
char LICENSE[] SEC("license") = "Dual BSD/GPL";
