// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package overhead measures what the programs cost, and keeps it below a limit: a host must not suffer from being watched.
package overhead
