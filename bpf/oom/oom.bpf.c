//go:build ignore

// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
// Processes that the kernel kills because memory has run out, of the host or of a cgroup.
#include "../include/filter.h"
#include "../include/series.h"

enum event_id {
	EVENT_KILL,
};

/* How many arguments btf_trace_mark_victim has here: 1, the thread id; 2 with the task itself in its place (6.10). */
const volatile __u32 mark_victim_arguments;

struct memory {
	__u64 total; /* pages, as all but the page tables: the address space */
	__u64 anonymous;
	__u64 file;
	__u64 shmem;
	__u64 swap;
	__u64 page_tables; /* bytes */
};

struct event {
	struct record record;
	struct owner owner;   /* the victim */
	struct owner trigger; /* whose request for memory could not be met */
	struct memory memory;
	__s32 score_adj;
	__u32 has_memory; /* the victim had not given its memory back before */
};

struct series {
	__u64 cgroup; /* ~0: the series of everything that found no room */
};

struct counts {
	__u64 kills;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct series);
	__type(value, struct counts);
} kills SEC(".maps");

struct process {
	__u64 start; /* ns of CLOCK_MONOTONIC */
	__u32 pid;
	__u32 pad;
};

/* The last victims: the kernel marks each thread of one that asks for memory while it dies. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct process);
	__type(value, __u8);
} victims SEC(".maps");

/* struct mm_struct counts the pages of each kind in one of these: until 6.2, and from there on. */
enum { MM_FILEPAGES, MM_ANONPAGES, MM_SWAPENTS, MM_SHMEMPAGES };

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct mm_rss_stat {
	atomic_long_t count[4];
};

struct mm_struct___shared {
	struct mm_rss_stat rss_stat;
};

struct percpu_counter {
	__s64 count;
};

struct mm_struct___percpu {
	struct percpu_counter rss_stat[4];
};

#pragma clang attribute pop

/* What the CPUs have not added yet is left out, as in the kernel's own log of a kill; so a small number may be below 0. */
#define PAGES(mm, kind)                                                                                                \
	({                                                                                                             \
		long pages;                                                                                            \
		if (bpf_core_type_exists(struct mm_rss_stat))                                                          \
			pages = BPF_CORE_READ((struct mm_struct___shared *)(mm), rss_stat.count[kind].counter);        \
		else                                                                                                   \
			pages = BPF_CORE_READ((struct mm_struct___percpu *)(mm), rss_stat[kind].count);                \
		(__u64)(pages > 0 ? pages : 0);                                                                        \
	})

static __always_inline void read_memory(struct memory *m, struct mm_struct *mm)
{
	m->total = BPF_CORE_READ(mm, total_vm);
	m->anonymous = PAGES(mm, MM_ANONPAGES);
	m->file = PAGES(mm, MM_FILEPAGES);
	m->shmem = PAGES(mm, MM_SHMEMPAGES);
	m->swap = PAGES(mm, MM_SWAPENTS);
	m->page_tables = BPF_CORE_READ(mm, pgtables_bytes.counter);
}

/* As read_owner, of a task that the verifier knows nothing about. */
static __always_inline void probe_owner(struct owner *o, struct task_struct *task)
{
	struct file *exe;

	__builtin_memset(o, 0, sizeof(*o));
	if (BPF_CORE_READ(task, flags) & PF_KTHREAD)
		return;
	o->pid = BPF_CORE_READ(task, tgid);
	o->uid = BPF_CORE_READ(task, cred, euid.val);
	o->cgroup = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
	if (!read_names)
		return;
	bpf_probe_read_kernel_str(o->comm, sizeof(o->comm), task->comm);
	exe = BPF_CORE_READ(task, mm, exe_file);
	if (exe)
		bpf_probe_read_kernel_str(o->executable, sizeof(o->executable), BPF_CORE_READ(exe, f_path.dentry, d_name.name));
}

/* The thread of an id in the initial pid namespace, by the kernel's own tree of them. */
static __always_inline struct task_struct *task_of(__u32 tid)
{
	struct task_struct *current = (struct task_struct *)bpf_get_current_task();
	void *entry = BPF_CORE_READ(current, thread_pid, numbers[0].ns, idr.idr_rt.xa_head);
	struct hlist_node *link;

	/* A tree of ids, which are less than 2^22, is at most four nodes high; an entry that ends in binary 10 is a node. */
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

static __always_inline bool is_marked_before(struct task_struct *victim)
{
	struct process p = {.start = BPF_CORE_READ(victim, group_leader, start_time), .pid = BPF_CORE_READ(victim, tgid)};

	/* Whatever else the error may be, a kill is not left out for it. */
	return is_known(&victims, &p);
}

static __always_inline void count(__u64 cgroup)
{
	static const struct counts none;
	struct series key = {.cgroup = cgroup};
	struct counts *c = FIND_SERIES(&kills, &key, &none, {.cgroup = OVERFLOW_CGROUP});

	if (c)
		__sync_fetch_and_add(&c->kills, 1);
}

/* mark_victim holds the lock of the victim, whose memory stays as it is until this is done. */
SEC("tp_btf/mark_victim")
int oom_kill(__u64 *ctx)
{
	struct task_struct *victim = mark_victim_arguments > 1 ? (struct task_struct *)ctx[0] : task_of(ctx[0]);
	struct owner owner;
	struct mm_struct *mm;
	struct event *e;

	if (!victim || is_marked_before(victim))
		return 0;
	probe_owner(&owner, victim);
	if (is_excluded_owner(&owner))
		return 0;
	count(owner.cgroup);
	if (!event_enabled(EVENT_KILL) || !within_limit())
		return 0;
	e = reserve_record(EVENT_KILL, sizeof(*e), bpf_ktime_get_ns(), true);
	if (!e)
		return 0;
	e->owner = owner;
	probe_owner(&e->trigger, (struct task_struct *)bpf_get_current_task());
	mm = BPF_CORE_READ(victim, mm);
	e->has_memory = mm != NULL;
	if (mm)
		read_memory(&e->memory, mm);
	else
		__builtin_memset(&e->memory, 0, sizeof(e->memory));
	e->score_adj = BPF_CORE_READ(victim, signal, oom_score_adj);
	submit_record(e);
	return 0;
}

EXPORT_STRUCT(event);
EXPORT_ENUM(event_id);
char LICENSE[] SEC("license") = "Dual BSD/GPL";
