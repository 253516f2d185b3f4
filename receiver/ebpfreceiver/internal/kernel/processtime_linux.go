// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// ProcessTime returns the CPU time of this process.
func ProcessTime() (time.Duration, error) {
	return timeOf(unix.RUSAGE_SELF)
}

// ThreadTime returns the CPU time that a function takes. It counts that of the calling thread, in which the function's system calls
// run. Unlike the time on the clock, it does not depend on what else runs.
func ThreadTime(do func() error) (time.Duration, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, err := timeOf(unix.RUSAGE_THREAD)
	if err != nil {
		return 0, err
	}
	if err := do(); err != nil {
		return 0, err
	}
	after, err := timeOf(unix.RUSAGE_THREAD)
	return after - before, err
}

func timeOf(who int) (time.Duration, error) {
	var usage unix.Rusage
	if err := unix.Getrusage(who, &usage); err != nil {
		return 0, fmt.Errorf("read the CPU time: %w", err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()), nil
}
