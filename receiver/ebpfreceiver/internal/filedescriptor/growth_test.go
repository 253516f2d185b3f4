// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package filedescriptor

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf"
)

var begin = time.Unix(1_700_000_000, 0)

// at returns what a process has open at a number of seconds from the beginning.
func at(g *growths, second int, leaks *[]bpf.FileDescriptorLeak, most ...holding) error {
	return g.look(begin.Add(time.Duration(second)*time.Second), most, func(l *bpf.FileDescriptorLeak) error {
		*leaks = append(*leaks, *l)
		return nil
	})
}

func sockets(pid, open uint32) holding {
	h := holding{process: process{pid, uint64(pid)}, owner: bpf.Owner{Pid: pid, Uid: 33}}
	h.open[file], h.open[socket] = 100-pid, open
	return h
}

func TestGrowth(t *testing.T) {
	const intervals = 3
	for name, tt := range map[string]struct {
		open []uint32
		// leaks are at which look there are leaks.
		leaks []int
	}{
		"flat":                          {[]uint32{5, 5, 5, 5, 5, 5, 5}, nil},
		"falling":                       {[]uint32{9, 8, 7, 6, 5, 4, 0}, nil},
		"growing":                       {[]uint32{1, 2, 3, 4, 5, 6, 7, 8}, []int{3}},
		"from none":                     {[]uint32{0, 2, 3, 4, 5}, []int{3}},
		"too short":                     {[]uint32{1, 2, 3, 3, 3, 3, 3}, nil},
		"with pauses":                   {[]uint32{1, 2, 2, 2, 3, 3, 4, 4}, []int{6}},
		"sawtooth":                      {[]uint32{1, 2, 3, 1, 2, 3, 1, 2, 3, 2, 3, 4, 3}, nil},
		"again after a fall":            {[]uint32{1, 2, 3, 4, 5, 4, 5, 6, 7, 8}, []int{3, 8}},
		"no fall to what it began with": {[]uint32{1, 2, 3, 2, 3, 4, 5}, []int{6}},
		"all at once":                   {[]uint32{1, 1000, 1000, 1000, 1000}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			g := growths{intervals: intervals}
			var when []int
			for i, open := range tt.open {
				var leaks []bpf.FileDescriptorLeak
				require.NoError(t, at(&g, i, &leaks, sockets(7, open)))
				for _, l := range leaks {
					assert.Equal(t, uint32(7), l.Owner.Pid)
					assert.Equal(t, uint32(33), l.Owner.Uid)
					assert.Equal(t, uint32(socket), l.Kind)
					assert.Equal(t, open, l.Open)
					when = append(when, i)
				}
			}
			assert.Equal(t, tt.leaks, when)
		})
	}
}

// The rate is that of the growth: what came before it, or before the last fall, is no part of it.
func TestGrowthRate(t *testing.T) {
	g := growths{intervals: 3}
	var leaks []bpf.FileDescriptorLeak
	for _, step := range []struct {
		second int
		open   uint32
	}{{0, 50}, {10, 60}, {20, 20}, {30, 20}, {40, 20}, {50, 25}, {60, 25}, {75, 30}, {80, 40}, {90, 50}} {
		require.NoError(t, at(&g, step.second, &leaks, sockets(7, step.open)))
	}
	require.Len(t, leaks, 1)
	assert.Equal(t, uint64(20), leaks[0].Growth)
	assert.Equal(t, uint64(40*time.Second), leaks[0].Duration, "from 40 to 80")
	assert.Equal(t, uint32(40), leaks[0].Open)
}

// What is not among those with the most is forgotten, and so is a process whose id another one has.
func TestGrowthForgets(t *testing.T) {
	g := growths{intervals: 2}
	var leaks []bpf.FileDescriptorLeak
	other := sockets(8, 9)
	require.NoError(t, at(&g, 0, &leaks, sockets(7, 1), other))
	require.NoError(t, at(&g, 1, &leaks, sockets(7, 2), other))
	require.NoError(t, at(&g, 2, &leaks, other))
	assert.Len(t, g.of, 1)
	require.NoError(t, at(&g, 3, &leaks, sockets(7, 3), other))
	again := sockets(7, 4)
	again.start++
	require.NoError(t, at(&g, 4, &leaks, again, other))
	require.NoError(t, at(&g, 5, &leaks, again, other))
	assert.Empty(t, leaks)
	assert.Len(t, g.of, 2)
}

// Several at once are all told, whatever becomes of one.
func TestGrowthsOfMany(t *testing.T) {
	g := growths{intervals: 2}
	broken := errors.New("broken")
	n := 0
	for i := range uint32(3) {
		h := sockets(8, i)
		h.open[pipe] = i
		err := g.look(begin.Add(time.Duration(i)*time.Second), []holding{sockets(7, i), h}, func(*bpf.FileDescriptorLeak) error {
			n++
			return broken
		})
		assert.Equal(t, i == 2, errors.Is(err, broken))
	}
	assert.Equal(t, 3, n)
}
