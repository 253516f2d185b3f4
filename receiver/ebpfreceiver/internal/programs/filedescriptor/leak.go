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

// windows are the lengths, in scans, of the windows over which the lowest number of descriptors is taken. With a length of 1
// each scan counts, so that a steady leak is found soon. The others find a leak in a process whose descriptors come and go: what
// is open only now and then is not in the lowest number. Longer windows would take a load that rises all morning for a leak.
var windows = [...]int{1, 2, 4}

// leakDetector finds leaks: the lowest number of descriptors in a window rises a number of times from one window to the next,
// and never falls in between. It observes every process, not only those with the most descriptors.
type leakDetector struct {
	intervals int
	processes map[process]*observed
	// scan and now are the number and the time of the current scan, found the leaks that it has found, last the time of the scan
	// before.
	scan      uint64
	now, last time.Duration
	found     []leak
}

// observed is the history of one process.
type observed struct {
	// lastScan is the number of the last scan that saw the process.
	lastScan uint64
	// kinds are nil for kinds without descriptors so far, which are most.
	kinds [kinds]*[len(windows)]growth
}

// growth is how the lowest number of descriptors of one kind in a window has grown since it last fell.
type growth struct {
	// since is the last time at which the number was still first.
	since       time.Duration
	first, last uint32
	// lowest is the lowest number in the current window, scans the number of its scans so far.
	lowest, scans uint32
	// rises is the number of windows in which it grew.
	rises uint32
	// started reports that there was a whole window, reported that the growth was reported as a leak.
	started, reported bool
}

func newLeakDetector(intervals int) *leakDetector {
	return &leakDetector{intervals: intervals, processes: map[process]*observed{}}
}

// begin begins a scan. now is a time of any steady clock.
func (d *leakDetector) begin(now time.Duration) {
	d.scan++
	d.last, d.now, d.found = d.now, now, nil
}

// observe records the counts of one process.
func (d *leakDetector) observe(c *fdCounts) {
	o, known := d.processes[c.process]
	if !known {
		if len(d.processes) >= maxObserved {
			return
		}
		o = new(observed)
		d.processes[c.process] = o
	}
	o.lastScan = d.scan
	for kind, open := range c.open {
		if o.kinds[kind] == nil {
			if open == 0 {
				continue
			}
			o.kinds[kind] = new([len(windows)]growth)
			if known {
				d.observeKind(o.kinds[kind], d.last, 0)
			}
		}
		if g := d.observeKind(o.kinds[kind], d.now, open); g != nil {
			d.found = append(d.found, leak{owner: c.owner, kind: kind, open: open, growth: g.last - g.first, duration: d.now - g.since})
		}
	}
}

// observeKind records a sample in all windows, and returns the growth that is a new leak, or nil. The longer windows do not
// report it again.
func (d *leakDetector) observeKind(all *[len(windows)]growth, now time.Duration, open uint32) (found *growth) {
	for i := range all {
		g := &all[i]
		if found != nil {
			g.reported = true
		}
		if g.observe(now, open, windows[i], d.intervals) {
			found = g
		}
	}
	return found
}

// forget drops the history of a process.
func (d *leakDetector) forget(p process) { delete(d.processes, p) }

// end drops the processes that this scan did not see, and returns the new leaks.
func (d *leakDetector) end() []leak {
	maps.DeleteFunc(d.processes, func(_ process, o *observed) bool { return o.lastScan != d.scan })
	return d.found
}

// observe records a sample and reports whether it is a new leak.
func (g *growth) observe(now time.Duration, open uint32, window, intervals int) bool {
	if g.scans == 0 || open < g.lowest {
		g.lowest = open
	}
	if g.scans++; int(g.scans) < window {
		return false
	}
	g.scans = 0
	switch lowest := g.lowest; {
	case !g.started:
		*g = growth{since: now, first: lowest, last: lowest, started: true, reported: g.reported}
	case lowest < g.last:
		*g = growth{since: now, first: lowest, last: lowest, started: true}
	case lowest > g.last:
		g.last = lowest
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
