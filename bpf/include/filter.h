/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* The receiver's setting `exclude`, which is applied before anything is counted or sent. */
#pragma once

#include "flow.h"
#include "owner.h"

const volatile __u32 self_pid; /* the collector's own process; 0: it is not excluded */
const volatile bool exclude_loopback;
const volatile bool exclude_cidrs;
const volatile bool exclude_ports;
const volatile bool exclude_executables;

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
} ebpf_excluded_cidrs SEC(".maps");

/* A bit for each port. */
struct ports {
	__u64 bits[65536 / 64];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ports);
} ebpf_excluded_ports SEC(".maps");

struct executable {
	char name[48];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct executable);
	__type(value, __u8);
} ebpf_excluded_executables SEC(".maps");

static __always_inline bool is_excluded_address(const struct address *a)
{
	struct cidr key = {.prefix_length = 128, .address = *a};
	__u8 *excluded = bpf_map_lookup_elem(&ebpf_excluded_cidrs, &key);

	return excluded && *excluded;
}

static __always_inline bool is_excluded_port(__u16 port)
{
	__u32 zero = 0, word = port >> 6;
	struct ports *p = bpf_map_lookup_elem(&ebpf_excluded_ports, &zero);

	/* The compiler would drop the mask below, which the verifier needs. */
	barrier_var(word);
	return port && p && (p->bits[word & 1023] >> (port & 63)) & 1;
}

static __always_inline bool is_excluded_owner(const struct owner *o)
{
	if (!o || !o->pid)
		return false;
	if (self_pid && o->pid == self_pid)
		return true;
	return exclude_executables && bpf_map_lookup_elem(&ebpf_excluded_executables, o->executable);
}

static __always_inline bool is_excluded_flow(const struct flow *f)
{
	if (exclude_loopback && (is_loopback(&f->local) || is_loopback(&f->remote)))
		return true;
	if (exclude_ports && (is_excluded_port(f->local_port) || is_excluded_port(f->remote_port)))
		return true;
	return exclude_cidrs && (is_excluded_address(&f->local) || is_excluded_address(&f->remote));
}
