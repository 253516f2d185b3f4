/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* What the configuration's `exclude` leaves out, decided before anything is counted or sent. */
#pragma once

#include "owner.h"

const volatile __u32 self_pid; /* the collector's own; 0: not left out */
const volatile bool exclude_loopback;
const volatile bool exclude_cidrs;
const volatile bool exclude_ports;
const volatile bool exclude_executables;

struct cidr {
	__u32 prefix_length; /* of the v4-mapped form for IPv4 */
	struct address address;
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct cidr);
	__type(value, __u8);
} excluded_cidrs SEC(".maps");

/* A bit per port. */
struct ports {
	__u64 bits[65536 / 64];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ports);
} excluded_ports SEC(".maps");

struct executable {
	char name[48];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct executable);
	__type(value, __u8);
} excluded_executables SEC(".maps");

/* Both ends of a flow; a port of 0 is not known. Ports are in host byte order. */
struct flow {
	struct address local;
	struct address remote;
	__u16 local_port;
	__u16 remote_port;
};

static __always_inline void map_ipv4(struct address *a, __be32 ipv4)
{
	__builtin_memset(a->octets, 0, 10);
	a->octets[10] = 0xff;
	a->octets[11] = 0xff;
	__builtin_memcpy(a->octets + 12, &ipv4, 4);
}

static __always_inline bool is_ipv4(const struct address *a)
{
	const __u32 *words = (const __u32 *)a->octets;

	return !words[0] && !words[1] && words[2] == bpf_htonl(0xffff);
}

static __always_inline bool is_loopback(const struct address *a)
{
	const __u32 *words = (const __u32 *)a->octets;

	if (is_ipv4(a))
		return a->octets[12] == 127;
	return !words[0] && !words[1] && !words[2] && words[3] == bpf_htonl(1);
}

static __always_inline bool is_excluded_address(const struct address *a)
{
	struct cidr key = {.prefix_length = 128, .address = *a};
	__u8 *excluded = bpf_map_lookup_elem(&excluded_cidrs, &key);

	return excluded && *excluded;
}

static __always_inline bool is_excluded_port(__u16 port)
{
	__u32 zero = 0, word = port >> 6;
	struct ports *p = bpf_map_lookup_elem(&excluded_ports, &zero);

	/* Or the compiler sees that the mask is for nothing, which verifiers do not. */
	barrier_var(word);
	return port && p && (p->bits[word & 1023] >> (port & 63)) & 1;
}

static __always_inline bool is_excluded_owner(const struct owner *o)
{
	if (!o || !o->pid)
		return false;
	if (self_pid && o->pid == self_pid)
		return true;
	return exclude_executables && bpf_map_lookup_elem(&excluded_executables, o->executable);
}

static __always_inline bool is_excluded_flow(const struct flow *f)
{
	if (exclude_loopback && (is_loopback(&f->local) || is_loopback(&f->remote)))
		return true;
	if (exclude_ports && (is_excluded_port(f->local_port) || is_excluded_port(f->remote_port)))
		return true;
	return exclude_cidrs && (is_excluded_address(&f->local) || is_excluded_address(&f->remote));
}
