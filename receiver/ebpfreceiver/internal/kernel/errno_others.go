// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package kernel

// errnoSymbol knows none: the numbers are those of Linux, which only Linux names.
func errnoSymbol(int) string { return "" }
