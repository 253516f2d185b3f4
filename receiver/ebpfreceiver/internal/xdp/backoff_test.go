// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package xdp

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// Each detachment by somebody else doubles the delay, until there is none for a long time.
func TestReattachBackoff(t *testing.T) {
	const index, other = 7, 8
	all := reattachBackoff{}
	now := time.Unix(1_700_000_000, 0)
	assert.NoError(t, all.check(index, now))
	for _, want := range []time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second} {
		all.start(index, now)
		assert.ErrorContains(t, all.check(index, now), "attached to again after "+want.String()+",")
		assert.Equal(t, all.check(index, now), all.check(index, now.Add(want-1)), "it is reported once")
		assert.NoError(t, all.check(index, now.Add(want)))
		assert.NoError(t, all.check(other, now))
		now = now.Add(want + time.Minute)
	}
	for range 20 {
		all.start(index, now)
		now = now.Add(time.Minute)
	}
	assert.Error(t, all.check(index, now.Add(maxReattachDelay-2*time.Minute)))
	now = now.Add(2 * maxReattachDelay)
	assert.NoError(t, all.check(index, now))
	all.start(index, now)
	assert.NoError(t, all.check(index, now.Add(minReattachDelay)))

	all.prune(func(i int) bool { return i == index })
	assert.Len(t, all, 1)
	all.prune(func(i int) bool { return i == other })
	assert.Empty(t, all, "removed interfaces are forgotten")
}
