// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package kernel

// errnoSymbol returns no symbol: the numbers are those of Linux, which only Linux can name.
func errnoSymbol(int) string { return "" }
