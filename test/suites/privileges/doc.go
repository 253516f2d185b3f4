// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package privileges runs the built collector as an ordinary user with the capabilities of docs/privileges.md, with one of
// them missing, in namespaces, and without parts of /proc and /sys. It checks what the collector reports of real traffic, and
// its messages about what is missing.
package privileges
