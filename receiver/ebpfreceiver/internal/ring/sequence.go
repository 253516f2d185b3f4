// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ring

// Sequences finds the records that are missing, by the numbers that each CPU gives its records from 1 on. It counts
// instead of comparing neighbours: a program that interrupts another on its CPU may write the later number first.
type Sequences struct {
	cpus []cpuSequence
	// settled is how many were missing at the last Settle, reported how many Take has told of.
	settled, reported uint64
	// gap is the time in which records have been missed before the last Settle and since the last Take, fresh that after
	// Settle; their Counts only say that there were any.
	gap, fresh Gap
}

type cpuSequence struct {
	highest, seen, last uint64
}

// Gap is a loss of records.
type Gap struct {
	Count uint64
	// Start and End are kernel times (ns) between which the records were lost; 0 if there was no record before, or after.
	Start, End uint64
}

// See takes note of a record that was read.
func (s *Sequences) See(cpu uint16, sequence, time uint64) {
	for int(cpu) >= len(s.cpus) {
		s.cpus = append(s.cpus, cpuSequence{})
	}
	c := &s.cpus[cpu]
	c.seen++
	if sequence > c.highest+1 {
		// A program reads the time before it takes a number, and may be interrupted between.
		s.widen(c.last, max(c.last, time))
	}
	c.highest = max(c.highest, sequence)
	c.last = max(c.last, time)
}

func (s *Sequences) widen(start, end uint64) {
	s.fresh = s.fresh.with(Gap{Count: 1, Start: start, End: end})
}

// with returns the time of both gaps; an End of 0 is the latest, as a Start of 0 is the earliest.
func (g Gap) with(other Gap) Gap {
	switch {
	case other.Count == 0:
		return g
	case g.Count == 0:
		return other
	}
	g.Start = min(g.Start, other.Start)
	if g.End = max(g.End, other.End); other.End == 0 {
		g.End = 0
	}
	return g
}

// Settle takes note that another look at the ring is to come: what is missing after that too is lost, not just late.
func (s *Sequences) Settle() {
	s.settled = s.missing()
	s.gap = s.gap.with(s.fresh)
	s.fresh = Gap{}
}

// Finish takes note of the last numbers that each CPU gave, when no more records are to come.
func (s *Sequences) Finish(highest []uint64) {
	for cpu, last := range highest {
		for cpu >= len(s.cpus) {
			s.cpus = append(s.cpus, cpuSequence{})
		}
		if c := &s.cpus[cpu]; last > c.highest {
			c.highest = last
			s.widen(c.last, 0)
		}
	}
	s.Settle()
}

func (s *Sequences) missing() (n uint64) {
	for i := range s.cpus {
		n += s.cpus[i].highest - s.cpus[i].seen
	}
	return n
}

// lost is what was missing at the last Settle and has not come since.
func (s *Sequences) lost() uint64 { return min(s.settled, s.missing()) }

// Missing returns whether there is a loss that Take has not told of, or will have to if nothing comes late.
func (s *Sequences) Missing() bool { return s.missing() > s.reported }

// Lost returns whether Take has a loss to tell of.
func (s *Sequences) Lost() bool { return s.lost() > s.reported }

// Take returns what was lost since the last call; Count is 0 if nothing was.
func (s *Sequences) Take() Gap {
	gap, lost := s.gap, s.lost()
	s.gap = Gap{}
	// A number that was late for longer has made up for itself.
	if lost <= s.reported {
		return Gap{}
	}
	gap.Count = lost - s.reported
	s.reported = lost
	return gap
}
