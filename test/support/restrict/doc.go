// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package restrict starts a program with fewer privileges than its parent: as another user with a few capabilities, in new
// namespaces, without some of the mounts, or with only some of the system calls. A test binary that uses it must call Main
// first.
package restrict
