// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package collector runs the built collector as a user does, with a configuration, and looks at it from outside: its
// log, its Prometheus page, what it costs, and what it holds in the kernel.
package collector
