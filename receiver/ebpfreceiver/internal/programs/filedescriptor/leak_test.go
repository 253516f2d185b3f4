// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package filedescriptor

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
)

// at scans open descriptors at a number of seconds from the start, and returns the new leaks.
func at(g *leakDetector, second int, all ...fdCounts) []leak {
	g.begin(time.Duration(second) * time.Second)
	for i := range all {
		g.observe(&all[i])
	}
	return g.end()
}

func sockets(pid, open uint32) fdCounts {
	h := fdCounts{process: process{pid, uint64(pid)}, owner: common.Owner{Pid: pid, Uid: 33}}
	h.open[file], h.open[socket] = 100-pid, open
	return h
}

func TestLeak(t *testing.T) {
	const intervals = 3
	for name, tt := range map[string]struct {
		open []uint32
		// leaks are the numbers of the scans that report a leak.
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
		"late, from none":               {[]uint32{0, 0, 0, 1, 2, 3}, []int{5}},
		"leak under churn":              {[]uint32{13, 6, 19, 12, 25, 18, 31, 24, 37, 30, 43, 36}, []int{7}},
		"leak under long churn":         {[]uint32{3, 9, 9, 9, 4, 9, 9, 9, 5, 9, 9, 9, 6, 9, 9, 9, 7, 9, 9, 9}, []int{15}},
		"churn":                         {[]uint32{13, 3, 13, 3, 13, 3, 13, 3, 13, 3, 13, 3, 13, 3, 13, 3}, nil},
		"churn that ends in a leak":     {[]uint32{9, 2, 9, 2, 9, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, []int{8}},
	} {
		t.Run(name, func(t *testing.T) {
			g := newLeakDetector(intervals)
			var when []int
			for i, open := range tt.open {
				for _, l := range at(g, i, sockets(7, open)) {
					assert.Equal(t, uint32(7), l.owner.Pid)
					assert.Equal(t, uint32(33), l.owner.Uid)
					assert.Equal(t, socket, l.kind)
					assert.Equal(t, open, l.open)
					when = append(when, i)
				}
			}
			assert.Equal(t, tt.leaks, when)
		})
	}
}

// Random loads are not reported as leaks with the default setting, whether independent or a random walk: a day of
// scans of 200 processes each.
func TestChurnIsNoLeak(t *testing.T) {
	const processes, scans = 200, 8640
	for name, next := range map[string]func(r *rand.Rand, open uint32) uint32{
		"independent": func(r *rand.Rand, _ uint32) uint32 { return 100 + r.Uint32N(50) },
		"walk": func(r *rand.Rand, open uint32) uint32 {
			return max(open+r.Uint32N(21), 10) - 10
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			for range processes {
				g, open := newLeakDetector(leakIntervals.Default), uint32(100_000)
				for i := range scans {
					open = next(r, open)
					require.Empty(t, at(g, 10*i, sockets(7, open)))
				}
			}
		})
	}
}

// The rate is that of the growth since the last fall.
func TestLeakRate(t *testing.T) {
	g := newLeakDetector(3)
	var leaks []leak
	for _, step := range []struct {
		second int
		open   uint32
	}{{0, 50}, {10, 60}, {20, 20}, {30, 20}, {40, 20}, {50, 25}, {60, 25}, {75, 30}, {80, 40}, {90, 50}} {
		leaks = append(leaks, at(g, step.second, sockets(7, step.open))...)
	}
	require.Len(t, leaks, 1)
	assert.Equal(t, uint32(20), leaks[0].growth)
	assert.Equal(t, 40*time.Second, leaks[0].duration, "from 40 to 80")
	assert.Equal(t, uint32(40), leaks[0].open)
}

// The history of a process that ended is dropped, and does not count for a later process with its id.
func TestLeakDetectorForgets(t *testing.T) {
	g := newLeakDetector(2)
	other := sockets(8, 9)
	again := sockets(7, 4)
	again.start++
	for i, all := range [][]fdCounts{
		{sockets(7, 1), other}, {sockets(7, 2), other}, {other}, {sockets(7, 3), other}, {again, other}, {again, other},
	} {
		assert.Empty(t, at(g, i, all...))
		assert.Len(t, g.processes, len(all))
	}
	// Partial information is dropped, too.
	at(g, 6, sockets(7, 1))
	at(g, 7, sockets(7, 2))
	g.forget(process{7, 7})
	assert.Empty(t, at(g, 8, sockets(7, 3)))
	assert.Empty(t, at(g, 9, sockets(7, 4)))
	assert.Len(t, at(g, 10, sockets(7, 5)), 1)
}

// A scan that failed halfway does not end the history of processes that it did not reach.
func TestLeakAfterAFailedScan(t *testing.T) {
	g := newLeakDetector(2)
	at(g, 0, sockets(7, 1), sockets(8, 1))
	g.begin(time.Second)
	first := sockets(7, 2)
	g.observe(&first)
	leaks := at(g, 2, sockets(7, 3), sockets(8, 2))
	require.Len(t, leaks, 1)
	assert.Equal(t, uint32(7), leaks[0].owner.Pid)
	assert.Len(t, at(g, 3, sockets(7, 4), sockets(8, 3)), 1)
}

// Several leaks at once are all reported.
func TestLeaksOfMany(t *testing.T) {
	g := newLeakDetector(2)
	for i := range uint32(3) {
		h := sockets(8, i)
		h.open[pipe] = i
		leaks := at(g, int(i), sockets(7, i), h)
		assert.Len(t, leaks, map[uint32]int{2: 3}[i])
	}
}

// Above the bound, the processes seen first are observed.
func TestObservedProcessesAreBounded(t *testing.T) {
	g := newLeakDetector(2)
	for i := range uint32(3) {
		all := make([]fdCounts, maxObserved+1)
		for n := range all {
			all[n] = sockets(uint32(n), 1)
		}
		all[maxObserved-1].open[pipe], all[maxObserved].open[pipe] = i, i
		leaks := at(g, int(i), all...)
		assert.Len(t, g.processes, maxObserved)
		assert.Len(t, leaks, map[uint32]int{2: 1}[i])
	}
	// A process that ends makes room.
	at(g, 3, sockets(maxObserved, 1))
	at(g, 4, sockets(maxObserved, 2))
	assert.Len(t, g.processes, 1)
	assert.Empty(t, at(g, 5, sockets(maxObserved, 3)))
	assert.Len(t, at(g, 6, sockets(maxObserved, 4)), 1)
}
