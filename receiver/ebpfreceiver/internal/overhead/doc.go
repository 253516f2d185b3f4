// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package overhead measures the CPU time that the programs cost, and keeps it below overhead_limit.
package overhead
