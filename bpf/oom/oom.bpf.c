//go:build ignore

// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
// OOM kills: processes that the kernel kills because the host or a cgroup is out of memory.
#include "../include/filter.h"
#include "../include/pid.h"
#include "../include/series.h"

enum event_id {
	EVENT_KILL,
};

/* The number of arguments of btf_trace_mark_victim: 1, the thread id; from 6.10 on 2, with the task instead of the id. */
const volatile __u32 mark_victim_arguments;

struct memory {
	__u64 total; /* the address space; in pages, as the others except page_tables */
	__u64 anonymous;
	__u64 file;
	__u64 shmem;
	__u64 swap;
	__u64 page_tables; /* bytes */
};

struct event {
	struct record record;
	struct owner owner;   /* the victim */
	struct owner trigger; /* whose allocation failed */
	struct memory memory;
	__s32 score_adj;
	__u32 has_memory; /* the victim had not released its memory before */
};

struct series {
	__u64 cgroup;
};

struct counts {
	__u64 kills;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct series);
	__type(value, struct counts);
} oom_kills SEC(".maps");

struct process {
	__u64 start; /* ns of CLOCK_MONOTONIC */
	__u32 pid;
	__u32 pad;
};

/* The last victims: the kernel marks a victim again when one of its threads allocates memory while it dies. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct process);
	__type(value, __u8);
} oom_victims SEC(".maps");

/* struct mm_struct counts pages in an array with these indexes: atomic counters before Linux 6.2, per-CPU ones since. */
enum { MM_FILEPAGES, MM_ANONPAGES, MM_SWAPENTS, MM_SHMEMPAGES };

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct mm_rss_stat {
	atomic_long_t count[4];
};

struct mm_struct___pre_6_2 {
	struct mm_rss_stat rss_stat;
};

struct percpu_counter {
	__s64 count;
};

struct mm_struct___since_6_2 {
	struct percpu_counter rss_stat[4];
};

#pragma clang attribute pop

/* What CPUs have not added yet is missing, as in the kernel's own log of a kill. So a small count may be negative. */
#define PAGES(mm, kind)                                                                                          \
	({                                                                                                       \
		long pages;                                                                                      \
		if (bpf_core_type_exists(struct mm_rss_stat))                                                    \
			pages = BPF_CORE_READ((struct mm_struct___pre_6_2 *)(mm), rss_stat.count[kind].counter); \
		else                                                                                             \
			pages = BPF_CORE_READ((struct mm_struct___since_6_2 *)(mm), rss_stat[kind].count);       \
		(__u64)(pages > 0 ? pages : 0);                                                                  \
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

static __always_inline bool test_and_set_victim(struct task_struct *victim)
{
	struct process p = {.start = BPF_CORE_READ(victim, group_leader, start_time), .pid = BPF_CORE_READ(victim, tgid)};

	return test_and_set(&oom_victims, &p);
}

static __always_inline void count(__u64 cgroup)
{
	static const struct counts none;
	struct series key = {.cgroup = cgroup};
	struct counts *c = FIND_SERIES(&oom_kills, &key, &none, {.cgroup = OVERFLOW_CGROUP});

	if (c)
		__sync_fetch_and_add(&c->kills, 1);
}

/* The kernel holds the lock of the victim, so its memory cannot go meanwhile. */
SEC("tp_btf/mark_victim")
int oom_kill(__u64 *ctx)
{
	struct task_struct *victim = mark_victim_arguments > 1 ? (struct task_struct *)ctx[0] : task_of(ctx[0]);
	struct owner owner;
	struct mm_struct *mm;
	struct event *e;

	if (!victim || test_and_set_victim(victim))
		return 0;
	read_owner_probe(&owner, victim);
	if (is_excluded_process(&owner))
		return 0;
	count(owner.cgroup);
	if (!event_enabled(EVENT_KILL) || !take_from_limit())
		return 0;
	e = reserve_record(EVENT_KILL, sizeof(*e), bpf_ktime_get_ns(), true);
	if (!e)
		return 0;
	e->owner = owner;
	read_owner_probe(&e->trigger, (struct task_struct *)bpf_get_current_task());
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
