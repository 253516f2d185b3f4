// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

type reading struct{ before, wall, after int64 }

// clockThatReads returns a clock with this reading function.
func clockThatReads(read func() (before, wall, after int64, err error)) *Clock {
	c := new(Clock)
	c.monotonic.read = read
	c.boot.read = func() (before, wall, after int64, err error) { return 0, 0, 0, nil }
	return c
}

func fakeClock(readings ...reading) *Clock {
	return clockThatReads(func() (before, wall, after int64, err error) {
		r := readings[0]
		if len(readings) > 1 {
			readings = readings[1:]
		}
		return r.before, r.wall, r.after, nil
	})
}

func TestClockTakesTheTightestReading(t *testing.T) {
	c := fakeClock(
		reading{100, 1_000_500, 1100}, // preempted between the readings
		reading{2000, 1_002_010, 2020},
		reading{3000, 1_003_500, 4000},
	)
	require.NoError(t, c.Sync())
	assert.Equal(t, pcommon.Timestamp(1_005_000), c.Wall(5000))
}

func TestClockStaysWhileItAgrees(t *testing.T) {
	r := reading{1000, 1_001_010, 1020}
	c := clockThatReads(func() (before, wall, after int64, err error) { return r.before, r.wall, r.after, nil })
	require.NoError(t, c.Sync())
	assert.Equal(t, pcommon.Timestamp(1_005_000), c.Wall(5000))

	// The readings do not contradict the offset, so it stays: times must not jump between batches.
	r = reading{2000, 1_002_017, 2020}
	require.NoError(t, c.Sync())
	assert.Equal(t, pcommon.Timestamp(1_005_000), c.Wall(5000))

	// The wall clock was set.
	r = reading{3000, 9_003_010, 3020}
	require.NoError(t, c.Sync())
	assert.Equal(t, pcommon.Timestamp(9_005_000), c.Wall(5000))
	r = reading{4000, 2_004_010, 4020}
	require.NoError(t, c.Sync())
	assert.Equal(t, pcommon.Timestamp(2_005_000), c.Wall(5000))
}

func TestClockError(t *testing.T) {
	broken := errors.New("no clock")
	fails := func() (before, wall, after int64, err error) { return 0, 0, 0, broken }
	c := clockThatReads(fails)
	require.ErrorIs(t, c.Sync(), broken)
	c = fakeClock(reading{})
	c.boot.read = fails
	require.ErrorIs(t, c.Sync(), broken)
}

// CLOCK_BOOTTIME runs while the machine is suspended, CLOCK_MONOTONIC does not.
func TestClockOfAMachineThatSlept(t *testing.T) {
	c := fakeClock(reading{1000, 1_001_010, 1020})
	c.boot.read = func() (before, wall, after int64, err error) { return 501_000, 1_001_010, 501_020, nil }
	require.NoError(t, c.Sync())
	assert.Equal(t, pcommon.Timestamp(1_005_000), c.Wall(5000))
	assert.Equal(t, pcommon.Timestamp(1_005_000), c.WallOfBoot(505_000))
}
