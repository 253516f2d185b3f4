// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux && !amd64

package traffic

import "golang.org/x/sys/unix"

// open makes the system call openat(): other architectures have no open().
func open(path string, flags int) (int, error) { return unix.Open(path, flags, 0o600) }
