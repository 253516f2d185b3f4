// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package collector runs the built collector as users do, with a configuration, and observes it from outside: its log, its
// Prometheus page, its CPU and memory use, and its BPF objects in the kernel.
package collector
