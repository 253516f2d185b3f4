// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"sync/atomic"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// clockReadings is how often a Sync reads the clocks to find the reading with the least time between them.
const clockReadings = 3

// Clock turns the kernel's time, that of bpf_ktime_get_ns (CLOCK_MONOTONIC: nanoseconds since boot without those
// asleep), into wall time. It is safe for concurrent use.
type Clock struct {
	// read returns the monotonic time just before, the wall time, and the monotonic time just after, in nanoseconds.
	read func() (before, wall, after int64, err error)
	// offset is what is added to the kernel's time.
	offset atomic.Int64
	// synced is whether offset was ever set.
	synced atomic.Bool
}

// Sync reads both clocks. Call it once per batch: the wall clock may have been set, or the machine asleep. While the
// clocks agree with what is known, nothing changes, so that times keep their order from batch to batch.
func (c *Clock) Sync() error {
	var low, high int64
	for i := range clockReadings {
		before, wall, after, err := c.read()
		if err != nil {
			return err
		}
		// The wall clock was read somewhere between, so the true offset is between these two.
		if l, h := wall-after, wall-before; i == 0 || h-l < high-low {
			low, high = l, h
		}
	}
	if offset := c.offset.Load(); !c.synced.Load() || offset < low || offset > high {
		c.offset.Store(low + (high-low)/2)
		c.synced.Store(true)
	}
	return nil
}

// Wall returns the wall time of a time of the kernel, in nanoseconds, by the last Sync.
func (c *Clock) Wall(ktime uint64) pcommon.Timestamp {
	return pcommon.Timestamp(int64(ktime) + c.offset.Load())
}
