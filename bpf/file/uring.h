/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* io_uring, beside system calls. The name is known at the submission only. */
#pragma once

#include "../include/uring.h"
#include "report.h"

enum { IORING_OP_OPENAT = 18, IORING_OP_OPENAT2 = 28, IORING_OP_RENAMEAT = 35, IORING_OP_UNLINKAT = 36 };
enum { REQ_F_CQE_SKIP = 1 << 6 };

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* Each of these is at the beginning of the request. */
struct io_unlink {
	int dfd;
	int flags;
	struct filename *filename;
};

struct io_rename {
	int new_dfd;
	struct filename *newpath;
	int flags;
};

struct io_open {
	int dfd;
	__u32 file_slot;
	struct filename *filename;
	struct open_how how;
};

/* Since Linux 7.0 a request has its names in such a structure. */
struct delayed_filename {
	struct filename *__incomplete_filename;
};

struct io_unlink___delayed {
	struct delayed_filename filename;
};

struct io_rename___delayed {
	struct delayed_filename newpath;
};

struct io_open___delayed {
	struct delayed_filename filename;
};

#pragma clang attribute pop

/* The name in a field of a request of that type. */
#define READ_FILENAME(type, request, field)                                                         \
	(bpf_core_type_exists(struct delayed_filename)                                              \
		 ? BPF_CORE_READ((struct type##___delayed *)(request), field.__incomplete_filename) \
		 : BPF_CORE_READ((struct type *)(request), field))

enum { REQUEST_PATH = 1024 };

struct uring_request {
	struct owner owner;
	__u32 flags;
	__u8 operation;
	bool direct; /* the descriptor will be one of io_uring's own */
	__u16 root;
	__u16 base;
	__u16 length; /* root, base and length as in struct pathname; 0: there is no room for the path */
	__u32 pad;
	char text[REQUEST_PATH];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 8192);
	__type(key, __u64); /* address of the struct io_kiocb */
	__type(value, struct uring_request);
} file_uring_requests SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct uring_request);
} file_uring_new SEC(".maps");

struct submission {
	__u64 request; /* address */
	struct given_name name;
	__u32 flags;
	__u8 operation;
	bool direct;
};

static __noinline int on_uring_submit(const struct submission *s)
{
	struct outcome o = {.operation = s->operation, .uncertain = true};
	struct pathname *p = path_buffer(s->operation);
	__u64 address = s->request;
	__u32 zero = 0, length;
	struct uring_request *r = bpf_map_lookup_elem(&file_uring_new, &zero);

	if (!p || !r)
		return 0;
	read_owner(&r->owner, current_task());
	if (is_excluded_process(&r->owner))
		return 0;
	read_given_path(p, &s->name);
	/* The process wants no completion for this request. */
	if (BPF_CORE_READ((struct io_kiocb *)address, flags) & REQ_F_CQE_SKIP) {
		if (s->operation == OPERATION_OPEN) {
			o.uncertain = false;
			o.flags = s->flags;
			return report_open(&r->owner, p, &o);
		}
		count(&r->owner, &o);
		if (event_enabled(EVENT_DELETE) && take_from_limit_of(kind_of_outcome(&o)))
			emit(&r->owner, p, &o);
		return 0;
	}
	r->flags = s->flags;
	r->operation = s->operation;
	r->direct = s->direct;
	if (p->length >= REQUEST_PATH)
		forget_path(p);
	r->root = p->root;
	r->base = p->base;
	length = p->length;
	r->length = length;
	barrier_var(length);
	bpf_probe_read_kernel(r->text, (length & (REQUEST_PATH - 1)) + 1, p->text);
	if (bpf_map_update_elem(&file_uring_requests, &address, r, BPF_ANY))
		count_loss(LOSS_MAP_FULL);
	return 0;
}

SEC("tp_btf/io_uring_submit_req")
int file_uring_submit(__u64 *ctx)
{
	struct io_kiocb *request = (struct io_kiocb *)ctx[0];
	struct io_unlink *u = (struct io_unlink *)request;
	struct io_rename *r = (struct io_rename *)request;
	struct io_open *open = (struct io_open *)request;
	struct submission s = {.request = address_of(request)};
	struct filename *filename;

	switch (BPF_CORE_READ(request, opcode)) {
	case IORING_OP_UNLINKAT:
		s.operation = BPF_CORE_READ(u, flags) & AT_REMOVEDIR ? OPERATION_RMDIR : OPERATION_UNLINK;
		s.name.dirfd = BPF_CORE_READ(u, dfd);
		filename = READ_FILENAME(io_unlink, request, filename);
		break;
	case IORING_OP_RENAMEAT:
		if (BPF_CORE_READ(r, flags) & (RENAME_NOREPLACE | RENAME_EXCHANGE))
			return 0;
		s.operation = OPERATION_RENAME;
		s.name.dirfd = BPF_CORE_READ(r, new_dfd);
		filename = READ_FILENAME(io_rename, request, newpath);
		break;
	case IORING_OP_OPENAT:
	case IORING_OP_OPENAT2:
		s.flags = BPF_CORE_READ(open, how.flags);
		if (!report_opens || !is_selected_open(s.flags))
			return 0;
		s.operation = OPERATION_OPEN;
		s.name.dirfd = BPF_CORE_READ(open, dfd);
		s.name.in_root = BPF_CORE_READ(open, how.resolve) & RESOLVE_IN_ROOT;
		s.direct = BPF_CORE_READ(open, file_slot);
		filename = READ_FILENAME(io_open, request, filename);
		break;
	default:
		return 0;
	}
	s.name.text = BPF_CORE_READ(filename, name);
	return on_uring_submit(&s);
}

static __always_inline void on_uring_complete(const struct uring_request *r, int result)
{
	struct pathname *p = path_buffer(r->operation);
	struct file *file = NULL;
	struct outcome o;

	if (!p)
		return;
	p->root = r->root;
	p->base = r->base;
	p->length = r->length;
	bpf_probe_read_kernel(p->text, REQUEST_PATH, r->text);
	if (r->operation == OPERATION_OPEN) {
		o = (struct outcome){.operation = OPERATION_OPEN, .flags = r->flags, .error = result < 0 ? -result : 0};
		if (result >= 0 && !r->direct)
			file = file_of_fd((struct task_struct *)bpf_get_current_task(), result);
		if (file)
			read_file_path(p, file);
		report_open(&r->owner, p, &o);
		return;
	}
	if (!describe_deletion(&o, r->operation, result))
		return;
	count(&r->owner, &o);
	if (event_enabled(EVENT_DELETE) && take_from_limit_of(kind_of_outcome(&o)))
		emit(&r->owner, p, &o);
}

SEC("tp_btf/io_uring_complete")
int file_uring_complete(__u64 *ctx)
{
	__u64 address = address_of((void *)ctx[1]);
	struct uring_request *r = bpf_map_lookup_elem(&file_uring_requests, &address);

	if (!r)
		return 0;
	on_uring_complete(r, uring_result(ctx));
	bpf_map_delete_elem(&file_uring_requests, &address);
	return 0;
}
