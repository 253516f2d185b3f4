// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program

import "time"

// Usage is what a program has used since it was attached.
type Usage struct {
	Program string
	// RunTime is the time that its functions ran while SetTiming was on.
	RunTime time.Duration
	// Events are those that the receiver has handed to the next consumer, whether it took them or not.
	Events uint64
}

// SetTiming switches the measurement of run times on or off.
func (s *Set) SetTiming(on bool) error { return s.timing.set(on) }

// Usages returns those of all programs, the ones that others need included.
func (s *Set) Usages() ([]Usage, error) {
	runTimes, err := s.timing.runTimes()
	if err != nil {
		return nil, err
	}
	programs := s.counted()
	all := make([]Usage, len(programs))
	for i, l := range programs {
		all[i] = Usage{
			Program: l.definition.Name,
			RunTime: runTimes[l.number],
			Events:  s.counts.delivered[l.number].Load() + s.counts.refused[l.number].Load(),
		}
	}
	return all, nil
}
