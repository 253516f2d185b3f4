// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// NewClock returns a clock of this machine, synced.
func NewClock() (*Clock, error) {
	c := &Clock{read: readClocks}
	return c, c.Sync()
}

func readClocks() (before, wall, after int64, err error) {
	for _, reading := range [...]struct {
		clock int32
		ns    *int64
	}{{unix.CLOCK_MONOTONIC, &before}, {unix.CLOCK_REALTIME, &wall}, {unix.CLOCK_MONOTONIC, &after}} {
		var ts unix.Timespec
		if err := unix.ClockGettime(reading.clock, &ts); err != nil {
			return 0, 0, 0, fmt.Errorf("clock_gettime(%d): %w", reading.clock, err)
		}
		*reading.ns = ts.Nano()
	}
	return before, wall, after, nil
}
