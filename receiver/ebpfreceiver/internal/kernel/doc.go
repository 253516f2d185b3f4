// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package kernel is what the receiver must know of the running kernel: its type information (BTF) and the names in
// it, its function symbols, its clock, its containers (cgroups), and what it needs before programs can be loaded.
//
// Everything that parses compiles on every platform; what asks the kernel is Linux-only.
package kernel
