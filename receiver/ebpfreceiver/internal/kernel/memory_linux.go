// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"os"

	"golang.org/x/sys/unix"
)

// TotalPages returns the pages of memory and swap of this machine, 0 if unknown.
func TotalPages() uint64 {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return 0
	}
	bytes := (uint64(info.Totalram) + uint64(info.Totalswap)) * uint64(info.Unit) //nolint:unconvert // 32 bits on some architectures
	return bytes / uint64(os.Getpagesize())
}
