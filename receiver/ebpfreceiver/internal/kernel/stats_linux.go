// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// ProcessTime returns the CPU time of this process.
func ProcessTime() (time.Duration, error) {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		return 0, fmt.Errorf("read the CPU time of the process: %w", err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()), nil
}

// EnableStats switches the kernel's statistics of BPF programs on until the closer is closed.
func EnableStats() (io.Closer, error) {
	stats, err := ebpf.EnableStats(unix.BPF_STATS_RUN_TIME)
	if errors.Is(err, unix.EPERM) {
		return nil, fmt.Errorf("CAP_SYS_ADMIN is missing: %w", err)
	}
	if err != nil {
		return nil, fmt.Errorf("switch the kernel's statistics of BPF programs on: %w", err)
	}
	return stats, nil
}
