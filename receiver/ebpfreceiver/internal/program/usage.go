// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program

import (
	"fmt"
	"slices"
	"time"
)

// Usage is what a program has used since it was attached.
type Usage struct {
	Program string
	// RunTime is the time that its functions ran, as far as the kernel's statistics were on.
	RunTime time.Duration
	// Events are those that the receiver has handed to the next consumer, whether it took them or not.
	Events uint64
}

// Usages returns those of all programs, the ones that others need included.
func (s *Set) Usages() ([]Usage, error) {
	programs := s.counted()
	all := make([]Usage, len(programs))
	for i, l := range programs {
		all[i] = Usage{
			Program: l.definition.Name,
			Events:  s.counts.delivered[l.number].Load() + s.counts.refused[l.number].Load(),
		}
	}
	// A program that others need can be there twice.
	for _, l := range s.all() {
		runTime, err := l.runTime()
		if err != nil {
			return nil, fmt.Errorf("statistics of program %s: %w", l.definition.Name, err)
		}
		all[slices.IndexFunc(programs, func(c *loaded) bool { return c.number == l.number })].RunTime += runTime
	}
	return all, nil
}

func (l *loaded) runTime() (all time.Duration, err error) {
	for _, h := range l.attachedHooks() {
		stats, err := h.runs()
		if err != nil {
			return 0, err
		}
		all += stats.Runtime
	}
	return all, nil
}
