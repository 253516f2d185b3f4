// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package traffic

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// open makes the system call open(). unix.Open makes openat().
func open(path string, flags int) (int, error) {
	p, err := unix.BytePtrFromString(path)
	if err != nil {
		return 0, err
	}
	fd, _, errno := unix.Syscall(unix.SYS_OPEN, uintptr(unsafe.Pointer(p)), uintptr(flags), 0o600)
	if errno != 0 {
		return 0, errno
	}
	return int(fd), nil
}
