// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program

import (
	"fmt"
	"sync/atomic"

	"github.com/cilium/ebpf"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics"
)

// counts are the events counted in user space, by program: those of records that were read, and those found in user
// space.
type counts struct {
	delivered, refused [common.MaxPrograms]atomic.Uint64
	// limited are over the program's event limit. overrun found no room in the queue, full none in the program's own tables.
	limited, overrun, full [common.MaxPrograms]atomic.Uint64
	// undecodable are the records that their program could not decode; 0 is no program.
	undecodable [common.MaxPrograms]atomic.Uint64
}

// CountDelivered counts events that the next consumer took, by program.
func (s *Set) CountDelivered(events [common.MaxPrograms]int) { add(&s.counts.delivered, events) }

// CountRefused counts events that the next consumer refused, and that were given up, by program.
func (s *Set) CountRefused(events [common.MaxPrograms]int) { add(&s.counts.refused, events) }

func add(to *[common.MaxPrograms]atomic.Uint64, events [common.MaxPrograms]int) {
	for id, n := range events {
		if n > 0 {
			to[id].Add(uint64(n))
		}
	}
}

// CountUndecodable counts a record that its program could not decode. It reports whether it is the first one of the program.
func (s *Set) CountUndecodable(raw []byte) (first bool) {
	number := 0
	if record, ok := common.View[common.Record](raw); ok && int(record.Program) < common.MaxPrograms {
		number = int(record.Program)
	}
	return s.counts.undecodable[number].Add(1) == 1
}

// The places of two causes in lossCauses.
const (
	lossRateLimit     = 1
	lossOverheadLimit = 6
)

// lossCauses are the causes of losses, in the order of Losses.
var lossCauses = [...]metadata.AttributeEbpfLossCause{
	metadata.AttributeEbpfLossCauseRingFull,
	metadata.AttributeEbpfLossCauseRateLimit,
	metadata.AttributeEbpfLossCauseMapFull,
	metadata.AttributeEbpfLossCauseRefused,
	metadata.AttributeEbpfLossCauseUndecodable,
	metadata.AttributeEbpfLossCauseRecursion,
	metadata.AttributeEbpfLossCauseOverheadLimit,
}

// lossesOf returns what was lost of a program, by cause. records are those for which the ring had no room.
func (s *Set) lossesOf(l *loaded) (counts [len(lossCauses)]uint64, records uint64, err error) {
	var perCPU []common.Losses
	if err := s.shared.maps[common.MapLost].Lookup(l.number, &perCPU); err != nil {
		return counts, 0, fmt.Errorf("read map %s: %w", common.MapLost, err)
	}
	var lost [common.LossCauses]uint64
	for _, cpu := range perCPU {
		for cause, n := range cpu.ByCause {
			lost[cause] += n
		}
	}
	c := &s.counts
	limited := lost[common.LossRateLimit] + c.limited[l.number].Load()
	held := s.holds[l.number].heldOf(limited)
	counts = [...]uint64{
		lost[common.LossRingFull] + c.overrun[l.number].Load(),
		limited - held,
		lost[common.LossMapFull] + c.full[l.number].Load(),
		c.refused[l.number].Load(),
		c.undecodable[l.number].Load(),
		l.misses(),
		held,
	}
	return counts, lost[common.LossRingFull], nil
}

// scrapeCounts adds ebpf.event.delivered and ebpf.event.lost.
func (s *Set) scrapeCounts(m *metrics.Builder) error {
	host := m.For(nil)
	for _, l := range s.counted() {
		counts, _, err := s.lossesOf(l)
		if err != nil {
			return err
		}
		name := metadata.WithEbpfProgramNameMetricAttribute(l.definition.Name)
		for i, cause := range lossCauses {
			if i == lossOverheadLimit && !s.options.Steppable {
				continue // it cannot happen
			}
			host.RecordEbpfEventLostDataPoint(m.Now, int64(counts[i]), cause, name)
		}
		host.RecordEbpfEventDeliveredDataPoint(m.Now, int64(s.counts.delivered[l.number].Load()), name)
	}
	return nil
}

// Losses returns what was lost since the start, but for the records for which the ring had no room: their sequence numbers
// are missing.
func (s *Set) Losses() (Losses, error) {
	all := s.counted()
	losses := make(Losses, 0, len(all)*len(lossCauses))
	for _, l := range all {
		counts, records, err := s.lossesOf(l)
		if err != nil {
			return nil, err
		}
		counts[0] -= records
		for i, cause := range lossCauses {
			losses = append(losses, Loss{Program: l.definition.Name, Cause: cause.String(), Count: counts[i]})
		}
	}
	return losses, nil
}

// scrapeRuns adds ebpf.program.run.time and ebpf.program.runs, which the kernel measures only while its statistics are enabled.
func (s *Set) scrapeRuns(m *metrics.Builder) error {
	all := s.counted()
	if len(all) == 0 {
		return nil
	}
	enabled, err := s.options.Kernel.StatsEnabled()
	if err != nil || !enabled {
		return err
	}
	host := m.For(nil)
	for _, l := range all {
		for _, h := range l.attachedHooks() {
			runs, err := h.runs()
			if err != nil {
				return fmt.Errorf("statistics of program %s: %w", l.definition.Name, err)
			}
			name := metadata.WithEbpfProgramNameMetricAttribute(l.definition.Name)
			hook := metadata.WithEbpfProgramHookMetricAttribute(h.name)
			host.RecordEbpfProgramRunsDataPoint(m.Now, int64(runs.RunCount), name, hook)
			host.RecordEbpfProgramRunTimeDataPoint(m.Now, runs.Runtime.Seconds(), name, hook)
		}
	}
	return nil
}

// runs returns the statistics of a hook. A fallback adds to the run time, but not to the number of runs.
func (a *attached) runs() (ebpf.ProgramStats, error) {
	var all ebpf.ProgramStats
	for _, f := range a.functions {
		stats, err := f.program.Stats()
		if err != nil {
			return all, err
		}
		if !f.fallback {
			all.RunCount += stats.RunCount
		}
		all.Runtime += stats.Runtime
	}
	return all, nil
}

// LastSequences returns the last sequence number that each CPU gave to a record.
func (s *Set) LastSequences() ([]uint64, error) {
	sequences := s.shared.maps[common.MapSequences]
	if sequences == nil {
		return nil, nil // the set is empty
	}
	var perCPU []common.Sequence
	if err := sequences.Lookup(uint32(0), &perCPU); err != nil {
		return nil, fmt.Errorf("read map %s: %w", common.MapSequences, err)
	}
	last := make([]uint64, len(perCPU))
	for cpu, sequence := range perCPU {
		last[cpu] = sequence.Last
	}
	return last, nil
}
