/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * What one program keeps of TCP sockets for itself, beside the state that all share. No other program reads or writes it.
 *
 * DEFINE_PARTS(name, value_type) makes two functions for a struct value_type. name_part(sk) returns the part of a socket whose
 * state is known, filled with zeros if it is new; NULL if there is no room. name_forget(sk) clears it at the end of a connection.
 * The part is in the slot of the shared state, where it has a field of this name, or else in a storage of the program's own.
 */
#pragma once

#include "sockets.h"

#define DEFINE_PARTS(name, value_type)                                                             \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_SK_STORAGE);                                             \
		__uint(map_flags, BPF_F_NO_PREALLOC);                                              \
		__type(key, int);                                                                  \
		__type(value, struct value_type);                                                  \
	} name##_storage SEC(".maps");                                                             \
                                                                                                   \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_LRU_HASH);                                               \
		__uint(max_entries, 1);                                                            \
		__type(key, __u64);                                                                \
		__type(value, struct value_type);                                                  \
	} name##_by_address SEC(".maps");                                                          \
                                                                                                   \
	_Static_assert(sizeof(struct value_type) == sizeof(((struct socket_slot *)0)->name),       \
		       "the part has the size of its field");                                      \
                                                                                                   \
	static __always_inline struct value_type *name##_part(struct sock *sk)                     \
	{                                                                                          \
		static const struct value_type none;                                               \
		struct socket_slot *slot;                                                          \
		__u64 cookie;                                                                      \
                                                                                                   \
		if (by_address)                                                                    \
			return entry_by_address(&name##_by_address, address_of(sk), &none);        \
		cookie = sk->__sk_common.skc_cookie.counter;                                       \
		slot = socket_slot(cookie);                                                        \
		if (slot && holds_slot(&slot->slot, cookie) && !slot->state.closed)                \
			return (struct value_type *)slot->name;                                    \
		return bpf_sk_storage_get(&name##_storage, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE); \
	}                                                                                          \
                                                                                                   \
	static __always_inline void name##_forget(struct sock *sk)                                 \
	{                                                                                          \
		static const struct value_type none;                                               \
		struct value_type *part;                                                           \
                                                                                                   \
		if (by_address) {                                                                  \
			__u64 address = address_of(sk);                                            \
                                                                                                   \
			bpf_map_delete_elem(&name##_by_address, &address);                         \
			return;                                                                    \
		}                                                                                  \
		/* The next owner of the slot clears it, and may exist already. */                 \
		if (!sk->sk_bpf_storage)                                                           \
			return;                                                                    \
		part = bpf_sk_storage_get(&name##_storage, sk, NULL, 0);                           \
		if (part)                                                                          \
			*part = none;                                                              \
	}
