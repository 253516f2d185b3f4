// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package filedescriptor

import (
	"maps"
	"time"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
)

// maxObserved bounds the observed processes. If there are more, the ones observed first stay.
const maxObserved = 16384

// leak is a leak of descriptors of one kind in one process.
type leak struct {
	owner common.Owner
	kind  int
	// open is the current number, growth how many were added within duration.
	open, growth uint32
	duration     time.Duration
}

// leakDetector finds leaks: a number of descriptors that grows in a number of intervals, and falls in none of those between.
// It observes every process, not only those with the most descriptors.
type leakDetector struct {
	intervals int
	processes map[process]*observed
	// scan and now are the number and the time of the current scan, found the leaks that it has found.
	scan  uint64
	now   time.Duration
	found []leak
}

// observed is the history of one process.
type observed struct {
	// lastScan is the number of the last scan that saw the process.
	lastScan uint64
	kinds    [kinds]growth
}

// growth is how the number of descriptors of one kind has grown since it last fell.
type growth struct {
	// since is the last time at which the number was still first.
	since       time.Duration
	first, last uint32
	// rises is the number of intervals in which it grew.
	rises uint32
	// reported reports that it was reported as a leak.
	reported bool
}

func newLeakDetector(intervals int) *leakDetector {
	return &leakDetector{intervals: intervals, processes: map[process]*observed{}}
}

// begin begins a scan. now is a time of any steady clock.
func (d *leakDetector) begin(now time.Duration) {
	d.scan++
	d.now, d.found = now, nil
}

// observe records the counts of one process.
func (d *leakDetector) observe(c *fdCounts) {
	o := d.processes[c.process]
	switch {
	case o != nil:
	case len(d.processes) < maxObserved:
		o = new(observed)
		for kind, open := range c.open {
			o.kinds[kind].restart(d.now, open)
		}
		d.processes[c.process] = o
	default:
		return
	}
	o.lastScan = d.scan
	for kind, open := range c.open {
		g := &o.kinds[kind]
		if g.observe(d.now, open, d.intervals) {
			d.found = append(d.found, leak{owner: c.owner, kind: kind, open: open, growth: open - g.first, duration: d.now - g.since})
		}
	}
}

// forget drops the history of a process.
func (d *leakDetector) forget(p process) { delete(d.processes, p) }

// end drops the processes that this scan did not see, and returns the new leaks.
func (d *leakDetector) end() []leak {
	maps.DeleteFunc(d.processes, func(_ process, o *observed) bool { return o.lastScan != d.scan })
	return d.found
}

func (g *growth) restart(now time.Duration, open uint32) {
	*g = growth{since: now, first: open, last: open}
}

// observe records a sample and reports whether it is a new leak.
func (g *growth) observe(now time.Duration, open uint32, intervals int) bool {
	switch {
	case open < g.last:
		g.restart(now, open)
	case open > g.last:
		g.last = open
		g.rises++
	case g.rises == 0:
		g.since = now
	}
	if int(g.rises) < intervals || g.reported {
		return false
	}
	g.reported = true
	return true
}
