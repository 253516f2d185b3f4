//go:build ignore

// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
// Connections. Each protocol has a header: TCP follows the states of sockets, UDP the peers that a socket sends to, and unix
// the system call connect().
#include "scan.h"
#include "tcp.h"
#include "udp_errors.h"
#include "unix.h"

EXPORT_STRUCT(event);
EXPORT_STRUCT(unix_event);
EXPORT_ENUM(event_id);
EXPORT_ENUM(failure);
EXPORT_ENUM(cause);
char LICENSE[] SEC("license") = "Dual BSD/GPL";
