// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package filedescriptor

import (
	"maps"
	"time"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/filedescriptor"
)

// maxWatched bounds the processes that are watched. Where there are more, those are that were there first.
const maxWatched = 16384

// growths finds leaks: what grows in a number of intervals and falls in none of those in between. Every process is watched,
// whether it is one of those that have the most or not.
type growths struct {
	intervals int
	of        map[process]*watched
	// number and now are those of the look at all processes that is under way, and leaks what it has found.
	number uint64
	now    time.Duration
	leaks  []bpf.FileDescriptorLeak
}

// watched is how the descriptors of a process have grown.
type watched struct {
	// look is the number of the last look that saw it.
	look  uint64
	kinds [kinds]growth
}

// growth is how the descriptors of a process and a kind have grown since they fell.
type growth struct {
	// since is when they were still as few as first.
	since       time.Duration
	first, last uint32
	// rises is in how many intervals they grew.
	rises uint32
	// told is whether it was told of as a leak.
	told bool
}

func newGrowths(intervals int) *growths {
	return &growths{intervals: intervals, of: map[process]*watched{}}
}

// begin begins a look at all processes at a time, by any clock that goes on evenly.
func (g *growths) begin(now time.Duration) {
	g.number++
	g.now, g.leaks = now, nil
}

// look takes all that a process has open.
func (g *growths) look(h *holding) {
	w := g.of[h.process]
	switch {
	case w != nil:
	case len(g.of) < maxWatched:
		w = new(watched)
		for kind, open := range h.open {
			w.kinds[kind].begin(g.now, open)
		}
		g.of[h.process] = w
	default:
		return
	}
	w.look = g.number
	for kind, open := range h.open {
		k := &w.kinds[kind]
		if !k.look(g.now, open, g.intervals) {
			continue
		}
		l := bpf.FileDescriptorLeak{Kind: uint32(kind), Open: open, Growth: uint64(open - k.first), Duration: uint64(g.now - k.since)}
		*common.OwnerOf(&l.Owner) = h.owner
		g.leaks = append(g.leaks, l)
	}
}

// forget is for a process of which a part was missing, so that it seems to have grown when that is there.
func (g *growths) forget(p process) { delete(g.of, p) }

// end forgets the processes that are no more, and returns the leaks that are new.
func (g *growths) end() []bpf.FileDescriptorLeak {
	maps.DeleteFunc(g.of, func(_ process, w *watched) bool { return w.look != g.number })
	return g.leaks
}

func (k *growth) begin(now time.Duration, open uint32) {
	*k = growth{since: now, first: open, last: open}
}

// look returns whether that many are a leak, which has not been told of.
func (k *growth) look(now time.Duration, open uint32, intervals int) bool {
	switch {
	case open < k.last:
		k.begin(now, open)
	case open > k.last:
		k.last = open
		k.rises++
	case k.rises == 0:
		k.since = now
	}
	if int(k.rises) < intervals || k.told {
		return false
	}
	k.told = true
	return true
}
