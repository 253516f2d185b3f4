// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package filedescriptor

import (
	"errors"
	"time"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf"
)

// growths finds leaks: what grows in a number of intervals and falls in none of those in between.
type growths struct {
	intervals int
	of        map[process]*[kinds]growth
}

// growth is how the descriptors of a process and a kind have grown since they fell.
type growth struct {
	// since is when they were still as few as first.
	since       time.Time
	first, last uint32
	// rises is in how many intervals they grew.
	rises int
	// told is whether it was told of as a leak.
	told bool
}

// look takes what the processes have open at a time, and calls leak for each new leak. What is not among them any more is
// forgotten.
func (g *growths) look(now time.Time, most []holding, leak func(*bpf.FileDescriptorLeak) error) error {
	of := make(map[process]*[kinds]growth, len(most))
	var errs []error
	for i := range most {
		h := &most[i]
		known := g.of[h.process]
		if known == nil {
			known = new([kinds]growth)
		}
		of[h.process] = known
		for kind, open := range h.open {
			k := &known[kind]
			if !k.look(now, open, g.intervals) {
				continue
			}
			l := bpf.FileDescriptorLeak{Kind: uint32(kind), Open: open, Growth: uint64(open - k.first), Duration: uint64(now.Sub(k.since))}
			*(*bpf.Owner)(&l.Owner) = h.owner
			errs = append(errs, leak(&l))
		}
	}
	g.of = of
	return errors.Join(errs...)
}

// look returns whether that many are a leak, which has not been told of.
func (k *growth) look(now time.Time, open uint32, intervals int) bool {
	switch {
	case k.since.IsZero(), open < k.last:
		*k = growth{since: now, first: open, last: open}
	case open > k.last:
		k.last = open
		k.rises++
	case k.rises == 0:
		k.since = now
	}
	if k.rises < intervals || k.told {
		return false
	}
	k.told = true
	return true
}
