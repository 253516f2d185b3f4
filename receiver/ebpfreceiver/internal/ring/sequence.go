// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ring

// Sequences detects lost records. Each CPU numbers its records from 1 on. Sequences counts records instead of comparing
// neighbours, because a program that interrupts another one on its CPU may write the higher number first.
type Sequences struct {
	cpus []cpuSequence
	// checkpoint is how many records were missing at the last Checkpoint, reported how many TakeLoss has returned.
	checkpoint, reported uint64
	// gap is the time of losses between the last TakeLoss and the last Checkpoint, recent that of losses after
	// Checkpoint. Their Count only says whether there were any.
	gap, recent Gap
}

type cpuSequence struct {
	// highest is the highest number, seen the number of records, last the latest time.
	highest, seen, last uint64
}

// Gap is a loss of records.
type Gap struct {
	Count uint64
	// Start and End are the kernel times (ns) between which the records were lost. 0 if there is no record before, or
	// after.
	Start, End uint64
}

// Join returns both losses as one. The other one is the later.
func (g Gap) Join(later Gap) Gap {
	switch {
	case g.Count == 0:
		return later
	case later.Count == 0:
		return g
	}
	return Gap{Count: g.Count + later.Count, Start: g.Start, End: later.End}
}

// Observe records a record that was read.
func (s *Sequences) Observe(cpu uint16, sequence, time uint64) {
	for int(cpu) >= len(s.cpus) {
		s.cpus = append(s.cpus, cpuSequence{})
	}
	c := &s.cpus[cpu]
	c.seen++
	if sequence > c.highest+1 {
		// A program reads the clock before it takes a number, and may be interrupted in between.
		s.widen(c.last, max(c.last, time))
	}
	c.highest = max(c.highest, sequence)
	c.last = max(c.last, time)
}

func (s *Sequences) widen(start, end uint64) {
	s.recent = s.recent.union(Gap{Count: 1, Start: start, End: end})
}

// union returns the time of both gaps. An End of 0 is the latest, as a Start of 0 is the earliest.
func (g Gap) union(other Gap) Gap {
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

// Checkpoint says that the ring is about to be read once more. A record that is missing now, and still missing after that
// read, is lost and not late.
func (s *Sequences) Checkpoint() {
	s.checkpoint = s.missing()
	s.gap = s.gap.union(s.recent)
	s.recent = Gap{}
}

// Finish receives the last number of each CPU, after the last record.
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
	s.Checkpoint()
}

func (s *Sequences) missing() (n uint64) {
	for i := range s.cpus {
		n += s.cpus[i].highest - s.cpus[i].seen
	}
	return n
}

// lossCount returns how many records were missing at the last Checkpoint and still are.
func (s *Sequences) lossCount() uint64 { return min(s.checkpoint, s.missing()) }

// HasGap reports whether records are missing that TakeLoss has not returned. They are lost or late.
func (s *Sequences) HasGap() bool { return s.missing() > s.reported }

// HasLoss reports whether TakeLoss would return a loss.
func (s *Sequences) HasLoss() bool { return s.lossCount() > s.reported }

// TakeLoss returns what was lost since the last call; Count is 0 if nothing was.
func (s *Sequences) TakeLoss() Gap {
	gap, lost := s.gap, s.lossCount()
	s.gap = Gap{}
	// Fewer than before: a record that was reported as lost has come very late.
	if lost <= s.reported {
		return Gap{}
	}
	gap.Count = lost - s.reported
	s.reported = lost
	return gap
}
