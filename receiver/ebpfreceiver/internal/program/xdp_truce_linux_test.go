// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
)

// Whoever detaches the function again and again gets ever more time, until he has long been at peace.
func TestTruces(t *testing.T) {
	const index, other = 7, 8
	all := truces{}
	now := time.Unix(1_700_000_000, 0)
	assert.NoError(t, all.check(index, now))
	for _, want := range []time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second} {
		all.begin(index, now)
		assert.ErrorContains(t, all.check(index, now), "attached to again after "+want.String()+",")
		assert.Equal(t, all.check(index, now), all.check(index, now.Add(want-1)), "it is reported once")
		assert.NoError(t, all.check(index, now.Add(want)))
		assert.NoError(t, all.check(other, now))
		now = now.Add(want + time.Minute)
	}
	for range 20 {
		all.begin(index, now)
		now = now.Add(time.Minute)
	}
	assert.Error(t, all.check(index, now.Add(longestTruce-2*time.Minute)))
	now = now.Add(2 * longestTruce)
	assert.NoError(t, all.check(index, now))
	all.begin(index, now)
	assert.NoError(t, all.check(index, now.Add(shortestTruce)))

	all.forget(map[int]kernel.Interface{index: {Name: "eth0"}})
	assert.Len(t, all, 1)
	all.forget(map[int]kernel.Interface{other: {Name: "eth1"}})
	assert.Empty(t, all, "nothing is kept of interfaces that are gone")
}
