/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Connections of unix sockets, by the system call connect() and by io_uring. */
#pragma once

#include "../include/fd.h"
#include "../include/uring.h"
#include "counts.h"

struct unix_event {
	struct record record;
	struct owner owner;
	__u64 cookie;
	__u32 netns;
	__u32 error;
	__u32 length; /* bytes of the path; an abstract name begins with a zero byte */
	char path[108];
};

/* A connect() to a unix address between its entry and its exit. */
struct unix_connect {
	__u32 fd;
	__u32 length;
	__u32 restarts; /* it was interrupted, and the kernel begins it again or lets it fail with EINTR */
	char path[108];
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64); /* pid_tgid */
	__type(value, struct unix_connect);
} connection_unix SEC(".maps");

/* Reads the path of an address that the current process has given. Returns false if it is not a unix address. */
static __always_inline bool read_unix_address(struct unix_connect *c, const void *address, __u64 length)
{
	__u16 family = 0;

	if (length < sizeof(family) || bpf_probe_read_user(&family, sizeof(family), address) || family != AF_UNIX)
		return false;
	length -= sizeof(family);
	if (length > sizeof(c->path))
		length = sizeof(c->path);
	c->length = length;
	/* The mask is for older verifiers, which forget the comparison above. */
	return !bpf_probe_read_user(c->path, length & 127, address + sizeof(family));
}

SEC("tracepoint/syscalls/sys_enter_connect")
int connection_enter_connect(struct trace_event_raw_sys_enter *ctx)
{
	__u64 thread = bpf_get_current_pid_tgid();
	struct unix_connect c = {};

	if (!read_unix_address(&c, (const void *)ctx->args[1], ctx->args[2]))
		return 0;
	c.fd = ctx->args[0];
	bpf_map_update_elem(&connection_unix, &thread, &c, BPF_ANY);
	return 0;
}

/* The socket of a file; NULL if it is not a unix socket. */
static __always_inline struct sock *unix_socket(struct file *file)
{
	struct sock *sk = sock_of_file_probe(file);

	return BPF_CORE_READ(sk, __sk_common.skc_family) == AF_UNIX ? sk : NULL;
}

static __always_inline void report_unix(const struct owner *owner, struct file *file, const struct unix_connect *c, long result)
{
	struct peer_series key = {
		.series = {.transport = TRANSPORT_UNIX, .role = ROLE_CLIENT, .error = result < 0 ? -result : 0},
	};
	struct unix_event *e;
	struct sock *sk;
	__u64 now;

	sk = unix_socket(file);
	if (!sk || is_excluded_process(owner) || is_excluded_without_flow())
		return;
	now = bpf_ktime_get_ns();
	key.series.cgroup = owner->cgroup;
	count(&key, result < 0 ? COUNT_FAILED : COUNT_OPENED);

	if (!event_enabled(EVENT_CONNECT) || !take_from_limit_of(event_kind(EVENT_CONNECT, key.series.error)))
		return;
	e = reserve_record(EVENT_CONNECT_UNIX, sizeof(*e), now, result < 0);
	if (!e)
		return;
	e->owner = *owner;
	e->cookie = BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
	e->netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	e->error = key.series.error;
	e->length = c->length;
	__builtin_memcpy(e->path, c->path, sizeof(e->path));
	submit_record(e);
}

/* The end of the current task's system call. */
static __always_inline void on_unix_connected(const struct unix_connect *c, long result)
{
	struct task_struct *task = current_task();
	struct owner owner;

	read_owner(&owner, task);
	report_unix(&owner, file_of_fd(task, c->fd), c, result);
}

SEC("tracepoint/syscalls/sys_exit_connect")
int connection_exit_connect(struct trace_event_raw_sys_exit *ctx)
{
	__u64 thread = bpf_get_current_pid_tgid();
	struct unix_connect *c = bpf_map_lookup_elem(&connection_unix, &thread);

	if (!c)
		return 0;
	if (is_restart(ctx->ret)) {
		c->restarts = 1;
		return 0;
	}
	on_unix_connected(c, ctx->ret);
	bpf_map_delete_elem(&connection_unix, &thread);
	return 0;
}

/*
 * The signal that interrupted a connect() decides how that goes on. The call fails if the signal has a handler without
 * SA_RESTART. Otherwise the thread enters it again, or the signal ends the process.
 */
SEC("tp_btf/signal_deliver")
int BPF_PROG(connection_signal, int number, struct kernel_siginfo *info, struct k_sigaction *action)
{
	__u64 thread = bpf_get_current_pid_tgid();
	struct unix_connect *c = bpf_map_lookup_elem(&connection_unix, &thread);

	if (!c || !c->restarts)
		return 0;
	if ((__u64)action->sa.sa_handler <= SIG_IGN || action->sa.sa_flags & SA_RESTART)
		return 0;
	on_unix_connected(c, -EINTR);
	bpf_map_delete_elem(&connection_unix, &thread);
	return 0;
}

enum { IORING_OP_CONNECT = 16 };

/* The start of a connect request. */
struct io_connect {
	void *addr; /* in the memory of the process */
	int addr_len;
} __attribute__((preserve_access_index));

struct unix_request {
	struct owner owner;
	struct unix_connect connect;
};

/* Connect requests in flight. Requests without a completion are evicted when the map is full. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64); /* address of the struct io_kiocb */
	__type(value, struct unix_request);
} connection_unix_requests SEC(".maps");

SEC("tp_btf/io_uring_submit_req")
int BPF_PROG(connection_uring_submit, struct io_kiocb *request)
{
	struct io_connect *connect = (struct io_connect *)request;
	__u64 address = address_of(request);
	struct unix_request r = {};

	if (BPF_CORE_READ(request, opcode) != IORING_OP_CONNECT)
		return 0;
	if (!read_unix_address(&r.connect, BPF_CORE_READ(connect, addr), BPF_CORE_READ(connect, addr_len)))
		return 0;
	read_owner(&r.owner, current_task());
	bpf_map_update_elem(&connection_unix_requests, &address, &r, BPF_ANY);
	return 0;
}

SEC("tp_btf/io_uring_complete")
int connection_uring_complete(__u64 *ctx)
{
	struct io_kiocb *request = (struct io_kiocb *)ctx[1];
	__u64 address = address_of(request);
	struct unix_request *r = bpf_map_lookup_elem(&connection_unix_requests, &address);

	if (!r)
		return 0;
	report_unix(&r->owner, BPF_CORE_READ(request, file), &r->connect, uring_result(ctx));
	bpf_map_delete_elem(&connection_unix_requests, &address);
	return 0;
}
