/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Whether another task can run in the middle of a tracing program. */
#pragma once

#include "kernel.h"

/*
 * From Linux 6.19 on, tracing programs can be preempted. Until the program goes on, the kernel skips it for all other tasks on
 * that CPU. A function that must miss nothing has a fallback there: see missed.h.
 */
const volatile bool is_preemptible;
