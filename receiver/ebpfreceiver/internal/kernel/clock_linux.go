// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// NewClock returns a clock of this machine, synced.
func NewClock() (*Clock, error) {
	c := new(Clock)
	c.monotonic.read = func() (before, wall, after int64, err error) { return readClocks(unix.CLOCK_MONOTONIC) }
	c.boot.read = func() (before, wall, after int64, err error) { return readClocks(unix.CLOCK_BOOTTIME) }
	return c, c.Sync()
}

// readClocks reads the wall clock between two readings of another clock.
func readClocks(clock int32) (before, wall, after int64, err error) {
	for _, reading := range [...]struct {
		clock int32
		ns    *int64
	}{{clock, &before}, {unix.CLOCK_REALTIME, &wall}, {clock, &after}} {
		var ts unix.Timespec
		if err := unix.ClockGettime(reading.clock, &ts); err != nil {
			return 0, 0, 0, fmt.Errorf("clock_gettime(%d): %w", reading.clock, err)
		}
		*reading.ns = ts.Nano()
	}
	return before, wall, after, nil
}
