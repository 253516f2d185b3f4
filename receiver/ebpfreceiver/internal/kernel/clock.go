// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// clockReadings is how often Sync reads the clocks. It uses the reading that took the least time.
const clockReadings = 3

// Clock converts times of the kernel to wall time. It is safe for concurrent use.
type Clock struct {
	// monotonic converts CLOCK_MONOTONIC, as bpf_ktime_get_ns returns it: nanoseconds since boot without suspended time.
	monotonic offset
	// boot converts CLOCK_BOOTTIME: nanoseconds since boot with suspended time.
	boot offset
}

// offset is the difference between the wall clock and one clock of the kernel.
type offset struct {
	// read returns the kernel's time before, the wall time, and the kernel's time after, in nanoseconds.
	read func() (before, wall, after int64, err error)
	// ns is added to the kernel's time.
	ns atomic.Int64
	// synced reports that ns was set.
	synced atomic.Bool
}

// Sync reads the clocks. Call it once per batch: the wall clock may have been set, or the machine suspended. The offset
// stays unchanged while it agrees with the clocks, so that times keep their order from batch to batch.
func (c *Clock) Sync() error {
	if err := c.monotonic.sync(); err != nil {
		return err
	}
	return c.boot.sync()
}

func (o *offset) sync() error {
	var low, high int64
	for i := range clockReadings {
		before, wall, after, err := o.read()
		if err != nil {
			return err
		}
		// The wall clock was read between the two readings, so the true offset is between these two values.
		if l, h := wall-after, wall-before; i == 0 || h-l < high-low {
			low, high = l, h
		}
	}
	if ns := o.ns.Load(); !o.synced.Load() || ns < low || ns > high {
		o.ns.Store(low + (high-low)/2)
		o.synced.Store(true)
	}
	return nil
}

// Monotonic returns the present time of CLOCK_MONOTONIC in nanoseconds. A clock that was not opened has the wall time.
func (c *Clock) Monotonic() (uint64, error) {
	if c.monotonic.read == nil {
		return uint64(time.Now().UnixNano()), nil
	}
	now, _, _, err := c.monotonic.read()
	return uint64(now), err
}

// Wall converts a time of CLOCK_MONOTONIC to wall time in nanoseconds, as of the last Sync.
func (c *Clock) Wall(ktime uint64) pcommon.Timestamp {
	return pcommon.Timestamp(int64(ktime) + c.monotonic.ns.Load())
}

// WallOfBoot converts a time of CLOCK_BOOTTIME to wall time in nanoseconds, as of the last Sync.
func (c *Clock) WallOfBoot(ktime uint64) pcommon.Timestamp {
	return pcommon.Timestamp(int64(ktime) + c.boot.ns.Load())
}
