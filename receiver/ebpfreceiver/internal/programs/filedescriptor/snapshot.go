// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package filedescriptor

import (
	"cmp"
	"slices"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/filedescriptor"
)

// maxUnshared bounds the processes whose tables are summed.
const maxUnshared = 4096

// process identifies a process. The kernel reuses pids, so the start time is part of it.
type process struct {
	pid   uint32
	start uint64
}

// fdCounts is the number of descriptors that a process has open, by kind.
type fdCounts struct {
	process
	owner common.Owner
	open  [kinds]uint32
}

func (c *fdCounts) total() (n uint64) {
	for _, open := range c.open {
		n += uint64(open)
	}
	return n
}

func (c *fdCounts) add(other *fdCounts) {
	for kind, n := range other.open {
		c.open[kind] += n
	}
}

// snapshot is the descriptors of all processes at one scan. Its memory is bounded: it keeps at most twice as many processes
// as it reports.
type snapshot struct {
	limit int
	// top are the processes with the most descriptors; other is the sum of all the rest.
	top   []fdCounts
	other [kinds]uint64
	// unshared are the processes whose threads do not share one descriptor table, with their sums so far. A process that is
	// first seen unshared in this scan is complete only from the next scan on.
	unshared     map[process]*fdCounts
	nextUnshared map[process]bool
	// complete is called for each process when its counts are complete.
	complete func(*fdCounts)
}

// newSnapshot returns an empty snapshot. unshared are the processes that the last scan found to be so.
func newSnapshot(limit int, unshared map[process]bool, complete func(*fdCounts)) *snapshot {
	s := &snapshot{
		limit:        limit,
		top:          make([]fdCounts, 0, 2*limit),
		unshared:     map[process]*fdCounts{},
		nextUnshared: map[process]bool{},
		complete:     complete,
	}
	for p := range unshared {
		s.unshared[p] = new(fdCounts)
	}
	return s
}

// add adds the table of a process, or of a thread that has its own.
func (s *snapshot) add(table *bpf.FileDescriptorTable) {
	c := fdCounts{process: process{table.Owner.Pid, table.Start}, owner: *common.OwnerOf(&table.Owner), open: table.Open}
	ofThread := table.Thread != table.Owner.Pid
	if ofThread && len(s.nextUnshared) < maxUnshared {
		s.nextUnshared[c.process] = true
	}
	if all := s.unshared[c.process]; all != nil {
		c.add(all)
		*all = c
		return
	}
	if ofThread {
		if i := slices.IndexFunc(s.top, func(other fdCounts) bool { return other.process == c.process }); i >= 0 {
			s.top[i].add(&c)
		} else {
			s.addToOther(&c)
		}
		return
	}
	s.put(c)
}

func (s *snapshot) put(c fdCounts) {
	s.complete(&c)
	s.top = append(s.top, c)
	if len(s.top) == 2*s.limit {
		s.cut()
	}
}

// cut keeps the processes with the most descriptors, sorted, and adds up the others.
func (s *snapshot) cut() {
	slices.SortFunc(s.top, func(a, b fdCounts) int {
		return cmp.Or(cmp.Compare(b.total(), a.total()), cmp.Compare(a.pid, b.pid))
	})
	for i := s.limit; i < len(s.top); i++ {
		s.addToOther(&s.top[i])
	}
	s.top = s.top[:min(s.limit, len(s.top))]
}

func (s *snapshot) addToOther(c *fdCounts) {
	for kind, n := range c.open {
		s.other[kind] += uint64(n)
	}
}

// finish completes the unshared processes and sorts the top. It returns the processes that are unshared for the next scan.
func (s *snapshot) finish() map[process]bool {
	for _, c := range s.unshared {
		if c.pid != 0 {
			s.put(*c)
		}
	}
	s.cut()
	return s.nextUnshared
}
