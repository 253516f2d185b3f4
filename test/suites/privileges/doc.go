// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package privileges starts the built collector as an ordinary user with the capabilities that docs/privileges.md documents, with
// one of them missing, in namespaces of its own, and where parts of /proc and /sys are missing; and looks at what it
// sees of real traffic, or says.
package privileges
