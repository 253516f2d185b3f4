// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package restrict starts a program with less than its parent has: as another user with a few capabilities, in
// namespaces of its own, without some of the mounts, with only some of the system calls. A test binary that uses it
// calls Main first.
package restrict
