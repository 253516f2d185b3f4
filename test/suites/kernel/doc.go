// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package kernel tests the receiver against the running kernel: real traffic in network namespaces of its own, every
// event and attribute compared with what the processes that made the traffic say of it. It needs root. Where a test
// cannot run it is skipped with the reason, or fails when OTELCOL_EBPF_REQUIRE_KERNEL is 1.
package kernel
