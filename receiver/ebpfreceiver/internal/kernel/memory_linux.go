// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"os"

	"golang.org/x/sys/unix"
)

// TotalPages returns the pages of memory and swap that this machine has, 0 if the kernel does not tell.
func TotalPages() uint64 {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return 0
	}
	bytes := (uint64(info.Totalram) + uint64(info.Totalswap)) * uint64(info.Unit) //nolint:unconvert // 32 bits on some architectures
	return bytes / uint64(os.Getpagesize())
}
