// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package kernel knows the running kernel: its type information (BTF), the names in it, its function symbols, its clocks,
// its containers (cgroups), and the requirements for loading programs.
//
// Parsers compile on every platform. Code that asks the kernel is Linux-only.
package kernel
