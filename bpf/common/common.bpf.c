//go:build ignore

// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
// What all programs share: the ring buffer, the counts of lost records, the state of sockets, what is excluded. The loader makes
// these maps once, from this object, and gives all programs the same ones.
#include "../include/filter.h"
#include "../include/record.h"
#include "../include/sockets.h"

EXPORT_STRUCT(record);
EXPORT_STRUCT(flow);
EXPORT_ENUM(loss_cause);
EXPORT_ENUM(attribution);
EXPORT_ENUM(role);
char LICENSE[] SEC("license") = "Dual BSD/GPL";
