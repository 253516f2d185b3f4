// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ring

// Sequences finds the records that are missing, by the numbers that each CPU gives its records from 1 on. It counts
// instead of comparing neighbours: a program that interrupts another on its CPU may write the later number first.
type Sequences struct {
	cpus     []cpuSequence
	reported uint64
	// gap is the time in which records have been missed since the last Take; its Count only says that there were any.
	gap Gap
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
	if s.gap.Count == 0 {
		s.gap = Gap{Count: 1, Start: start, End: end}
		return
	}
	s.gap.Start = min(s.gap.Start, start)
	s.gap.End = max(s.gap.End, end)
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
			s.gap.End = 0
		}
	}
}

// Take returns what was lost since the last call; Count is 0 if nothing was.
func (s *Sequences) Take() Gap {
	var lost uint64
	for i := range s.cpus {
		lost += s.cpus[i].highest - s.cpus[i].seen
	}
	gap := s.gap
	s.gap = Gap{}
	// A number that was only late has made up for itself.
	if lost <= s.reported {
		return Gap{}
	}
	gap.Count = lost - s.reported
	s.reported = lost
	return gap
}
