/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The receiver's settings `exclude` and `include`, which are applied before anything is counted or sent. All keys of `include` must
 * match; what `exclude` names is excluded in any case.
 */
#pragma once

#include "flow.h"
#include "owner.h"

const volatile __u32 self_pid; /* the collector's own process; 0: it is not excluded */
const volatile bool exclude_loopback;
const volatile bool exclude_cidrs;
const volatile bool exclude_ports;
const volatile bool exclude_executables;
const volatile __u32 include_pid; /* that of the collector, if it alone is included; 0: any process is */
const volatile bool include_loopback;
const volatile bool include_cidrs;
const volatile bool include_ports;
const volatile bool include_executables;
const volatile bool include_cgroups; /* those of containers and units */

struct cidr {
	__u32 prefix_length; /* bits; of IPv4, those of the v4-mapped form */
	struct address address;
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct cidr);
	__type(value, __u8);
} ebpf_excluded_cidrs SEC(".maps"), ebpf_included_cidrs SEC(".maps");

/* A bit for each port. */
struct ports {
	__u64 bits[65536 / 64];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ports);
} ebpf_excluded_ports SEC(".maps"), ebpf_included_ports SEC(".maps");

struct executable {
	char name[48];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct executable);
	__type(value, __u8);
} ebpf_excluded_executables SEC(".maps"), ebpf_included_executables SEC(".maps");

/* By id. User space adds them when they are made, and never removes one: the last events of a container come after its end. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, __u8);
} ebpf_included_cgroups SEC(".maps");

static __always_inline bool has_address(void *cidrs, const struct address *a)
{
	struct cidr key = {.prefix_length = 128, .address = *a};
	__u8 *has = bpf_map_lookup_elem(cidrs, &key);

	return has && *has;
}

static __always_inline bool has_port(void *ports, __u16 port)
{
	__u32 zero = 0, word = port >> 6;
	struct ports *p = bpf_map_lookup_elem(ports, &zero);

	/* The compiler would drop the mask below, which the verifier needs. */
	barrier_var(word);
	return port && p && (p->bits[word & 1023] >> (port & 63)) & 1;
}

/* Whether `exclude` names a process. o is NULL or has no pid if it is not known. */
static __always_inline bool is_excluded_by_name(const struct owner *o)
{
	if (!o || !o->pid)
		return false;
	if (self_pid && o->pid == self_pid)
		return true;
	return exclude_executables && bpf_map_lookup_elem(&ebpf_excluded_executables, o->executable);
}

/* Whether `include` leaves out a process. The cgroup is the process's, or else that of the object, such as a socket. */
static __always_inline bool is_left_out(const struct owner *o, __u64 cgroup)
{
	if (include_cgroups && !bpf_map_lookup_elem(&ebpf_included_cgroups, &cgroup))
		return true;
	if (include_pid && (!o || o->pid != include_pid))
		return true;
	if (!include_executables)
		return false;
	return !o || !o->pid || !bpf_map_lookup_elem(&ebpf_included_executables, o->executable);
}

static __always_inline bool is_excluded_owner(const struct owner *o, __u64 cgroup)
{
	return is_excluded_by_name(o) || is_left_out(o, cgroup);
}

static __always_inline bool is_excluded_process(const struct owner *o)
{
	return is_excluded_owner(o, o->cgroup);
}

/* Whether traffic without addresses, such as that of unix sockets, is excluded. */
static __always_inline bool is_excluded_without_flow(void)
{
	return include_loopback || include_cidrs || include_ports;
}

static __always_inline bool is_excluded_flow(const struct flow *f)
{
	if (exclude_loopback && (is_loopback(&f->local) || is_loopback(&f->remote)))
		return true;
	if (include_loopback && !is_loopback(&f->local) && !is_loopback(&f->remote))
		return true;
	if (exclude_ports && (has_port(&ebpf_excluded_ports, f->local_port) || has_port(&ebpf_excluded_ports, f->remote_port)))
		return true;
	if (include_ports && !has_port(&ebpf_included_ports, f->local_port) && !has_port(&ebpf_included_ports, f->remote_port))
		return true;
	if (exclude_cidrs && (has_address(&ebpf_excluded_cidrs, &f->local) || has_address(&ebpf_excluded_cidrs, &f->remote)))
		return true;
	return include_cidrs && !has_address(&ebpf_included_cidrs, &f->local) && !has_address(&ebpf_included_cidrs, &f->remote);
}
