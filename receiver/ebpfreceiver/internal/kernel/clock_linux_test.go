// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestClockOfTheMachine(t *testing.T) {
	c, err := NewClock()
	require.NoError(t, err)

	before := time.Now().UnixNano()
	var ts unix.Timespec
	require.NoError(t, unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts))
	after := time.Now().UnixNano()

	wall := int64(c.Wall(uint64(ts.Nano())))
	const slack = int64(time.Millisecond)
	assert.GreaterOrEqual(t, wall, before-slack)
	assert.LessOrEqual(t, wall, after+slack)

	require.NoError(t, unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts))
	later := time.Now().UnixNano()
	wall = int64(c.WallOfBoot(uint64(ts.Nano())))
	assert.GreaterOrEqual(t, wall, after-slack)
	assert.LessOrEqual(t, wall, later+slack)

	noAllocations(t, func() {
		if err := c.Sync(); err != nil {
			t.Error(err)
		}
		c.Wall(1)
	})
}

func TestClockIsSteady(t *testing.T) {
	c, err := NewClock()
	require.NoError(t, err)
	first := c.Wall(0)
	for range 1000 {
		require.NoError(t, c.Sync())
	}
	drift := int64(c.Wall(0)) - int64(first)
	assert.Less(t, max(drift, -drift), int64(time.Millisecond), "ns after 1000 syncs")
}

func BenchmarkClockSync(b *testing.B) {
	c, err := NewClock()
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		_ = c.Sync()
	}
}
