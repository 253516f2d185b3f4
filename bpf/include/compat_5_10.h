/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * What is for Linux 5.10 and 5.11 only. These kernels give tracing programs no storage in sockets, do not let them number
 * sockets, and have no pointer to the current task that can be followed. State is kept there by the address of its object.
 * The loader sets by_address on these kernels; on newer ones the verifier removes this code. Delete this header when 5.10 is
 * not supported any more (its end of life is December 2026).
 */
#pragma once

#include "kernel.h"

const volatile bool by_address;

static __always_inline struct task_struct *current_task(void)
{
	if (by_address)
		return (struct task_struct *)bpf_get_current_task();
	return bpf_get_current_task_btf();
}

/* Has the kernel number a socket, and returns the number: its cookie. Returns 0 where this cannot be done. */
static __always_inline __u64 number_socket(struct sock *sk)
{
	return by_address ? 0 : bpf_get_socket_cookie(sk);
}

/* An entry of a map by address. If it is not there, it is made from `none`, unless that is NULL. */
static __always_inline void *entry_by_address(void *map, __u64 address, const void *none)
{
	void *entry = bpf_map_lookup_elem(map, &address);

	if (entry || !none)
		return entry;
	bpf_map_update_elem(map, &address, none, BPF_NOEXIST);
	return bpf_map_lookup_elem(map, &address);
}
