// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"sync/atomic"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// clockReadings is how often a Sync reads the clocks to find the reading with the least time between them.
const clockReadings = 3

// Clock turns the kernel's times into wall time. It is safe for concurrent use.
type Clock struct {
	// monotonic is that of bpf_ktime_get_ns, CLOCK_MONOTONIC: nanoseconds since boot without those asleep.
	monotonic offset
	// boot is that of CLOCK_BOOTTIME: all nanoseconds since boot.
	boot offset
}

// offset is between the wall clock and one of the kernel's clocks.
type offset struct {
	// read returns the kernel's time just before, the wall time, and the kernel's time just after, in nanoseconds.
	read func() (before, wall, after int64, err error)
	// ns is what is added to the kernel's time.
	ns atomic.Int64
	// synced is whether ns was ever set.
	synced atomic.Bool
}

// Sync reads the clocks. Call it once per batch: the wall clock may have been set, or the machine asleep. While the
// clocks agree with what is known, nothing changes, so that times keep their order from batch to batch.
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
		// The wall clock was read somewhere between, so the true offset is between these two.
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

// Wall returns the wall time of a time of CLOCK_MONOTONIC, in nanoseconds, by the last Sync.
func (c *Clock) Wall(ktime uint64) pcommon.Timestamp {
	return pcommon.Timestamp(int64(ktime) + c.monotonic.ns.Load())
}

// WallOfBoot returns the wall time of a time of CLOCK_BOOTTIME, in nanoseconds, by the last Sync.
func (c *Clock) WallOfBoot(ktime uint64) pcommon.Timestamp {
	return pcommon.Timestamp(int64(ktime) + c.boot.ns.Load())
}
