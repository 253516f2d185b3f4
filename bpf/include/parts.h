/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * What one program keeps of TCP sockets for itself, beside the state that all share. No other program reads or writes it.
 *
 * DEFINE_PARTS(name, value_type) makes the maps for a struct value_type and two functions. name_part(sk) returns the part of a socket
 * whose state is known, filled with zeros if it is new; NULL if there is no room. name_forget(sk) clears it. The parts have
 * slots with the same indexes as those of the shared states, so that only sockets with a shared slot use them: a part needs no
 * claim, only the cookie of the socket that it is of. Sockets without a shared slot have the part in their storage.
 */
#pragma once

#include "sockets.h"

#define DEFINE_PARTS(name, value_type)                                                                                              \
	struct name##_slot {                                                                                                   \
		__u64 cookie;                                                                                                  \
		struct value_type part;                                                                                              \
	};                                                                                                                     \
                                                                                                                               \
	struct {                                                                                                               \
		__uint(type, BPF_MAP_TYPE_ARRAY);                                                                              \
		__uint(max_entries, SOCKET_SLOTS);                                                                             \
		__type(key, __u32);                                                                                            \
		__type(value, struct name##_slot);                                                                             \
	} name##_slots SEC(".maps");                                                                                           \
                                                                                                                               \
	struct {                                                                                                               \
		__uint(type, BPF_MAP_TYPE_SK_STORAGE);                                                                         \
		__uint(map_flags, BPF_F_NO_PREALLOC);                                                                          \
		__type(key, int);                                                                                              \
		__type(value, struct value_type);                                                                                    \
	} name##_storage SEC(".maps");                                                                                         \
                                                                                                                               \
	struct {                                                                                                               \
		__uint(type, BPF_MAP_TYPE_LRU_HASH);                                                                           \
		__uint(max_entries, 1);                                                                                        \
		__type(key, __u64);                                                                                            \
		__type(value, struct value_type);                                                                                    \
	} name##_by_address SEC(".maps");                                                                                      \
                                                                                                                               \
	static __always_inline struct value_type *name##_part(struct sock *sk)                                                       \
	{                                                                                                                      \
		static const struct value_type none;                                                                                 \
		struct socket_slot *shared;                                                                                    \
		struct name##_slot *own;                                                                                       \
		__u64 cookie;                                                                                                  \
		__u32 index;                                                                                                   \
                                                                                                                               \
		if (by_address)                                                                                                \
			return entry_by_address(&name##_by_address, address_of(sk), &none);                                    \
		cookie = sk->__sk_common.skc_cookie.counter;                                                                   \
		shared = socket_slot(cookie);                                                                                  \
		if (!shared || !holds_slot(&shared->slot, cookie))                                                             \
			return bpf_sk_storage_get(&name##_storage, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);                     \
		index = cookie % SOCKET_SLOTS;                                                                                 \
		own = bpf_map_lookup_elem(&name##_slots, &index);                                                              \
		if (!own)                                                                                                      \
			return NULL;                                                                                           \
		if (own->cookie != cookie) {                                                                                   \
			own->part = none;                                                                                      \
			own->cookie = cookie;                                                                                  \
		}                                                                                                              \
		return &own->part;                                                                                             \
	}                                                                                                                      \
                                                                                                                               \
	static __always_inline void name##_forget(struct sock *sk)                                                             \
	{                                                                                                                      \
		static const struct value_type none;                                                                                 \
		__u64 cookie = sk->__sk_common.skc_cookie.counter;                                                             \
		__u32 index = cookie % SOCKET_SLOTS;                                                                           \
		struct name##_slot *own;                                                                                       \
		struct value_type *part;                                                                                             \
                                                                                                                               \
		if (by_address) {                                                                                              \
			__u64 address = address_of(sk);                                                                        \
                                                                                                                               \
			bpf_map_delete_elem(&name##_by_address, &address);                                                     \
			return;                                                                                                \
		}                                                                                                              \
		own = bpf_map_lookup_elem(&name##_slots, &index);                                                              \
		if (own && own->cookie == cookie) {                                                                            \
			own->cookie = 0;                                                                                       \
		} else if (sk->sk_bpf_storage) {                                                                               \
			part = bpf_sk_storage_get(&name##_storage, sk, NULL, 0);                                               \
			if (part)                                                                                              \
				*part = none;                                                                                  \
		}                                                                                                              \
	}
