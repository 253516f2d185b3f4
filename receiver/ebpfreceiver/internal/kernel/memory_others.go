// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package kernel

// TotalPages returns 0: its callers run on Linux only.
func TotalPages() uint64 { return 0 }
