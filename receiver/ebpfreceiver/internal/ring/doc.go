// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package ring reads the one ring buffer that all programs write to.
package ring
