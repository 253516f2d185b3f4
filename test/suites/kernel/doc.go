// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package kernel tests the receiver on the running kernel: real traffic in new network namespaces, and every event and
// attribute compared with what the processes that made the traffic report. It needs root. A test that cannot run is skipped
// with the reason, or fails if OTELCOL_EBPF_REQUIRE_KERNEL is 1.
package kernel
