//go:build ignore

// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
// Files: deletions, and opens below some paths. There are three ways to see them, of which the loader takes the first that the
// kernel accepts. Each has a header; they share what is in report.h.
#include "functions.h"
#include "syscalls.h"
#include "uring.h"

EXPORT_STRUCT(event);
EXPORT_ENUM(event_id);
EXPORT_ENUM(operation);
char LICENSE[] SEC("license") = "Dual BSD/GPL";
