// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"time"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/collector"
)

// cpu measures what an event costs the collector at a steady rate.
func (b *bench) cpu() error {
	return b.with(asConfigured, func(s *subject) error {
		before, err := s.CPU()
		if err != nil {
			return err
		}
		done, err := b.atRate().Run(b.container)
		if err != nil {
			return err
		}
		time.Sleep(settle)
		after, err := s.CPU()
		if err != nil {
			return err
		}
		b.cpuPerEvent(after.Sub(before), eventsPerConnection*done.Opened, done.Elapsed, "steady")
		if b.profile == "" {
			return nil
		}
		for name, work := range map[string]func() error{
			"steady":   func() error { _, err := b.atRate().Run(b.container); return err },
			"flat-out": func() error { _, err := b.flatOut(b.connections).Run(b.container); return err },
		} {
			profiled := s.profile(name, b.seconds)
			if err := work(); err != nil {
				return err
			}
			if err := <-profiled; err != nil {
				return fmt.Errorf("profile: %w", err)
			}
		}
		return nil
	})
}

// cpuPerEvent adds the collector's CPU time per event. All of the collector's work is included.
func (b *bench) cpuPerEvent(used collector.CPU, events int, elapsed time.Duration, how string) {
	per := func(d time.Duration) float64 { return microseconds(d) / float64(events) }
	what := fmt.Sprintf("CPU of the collector per event, %s, %.0f events/s", how, float64(events)/elapsed.Seconds())
	b.table.judge(per(used.Total()) <= 2, what, "≤ 2 µs", "%.2f µs (user %.2f, system %.2f)",
		per(used.Total()), per(used.User), per(used.System))
}

// idle measures the CPU use of an idle collector.
func (b *bench) idle() error {
	const seconds = 20
	return b.with(asConfigured, func(s *subject) error {
		before, err := s.CPU()
		if err != nil {
			return err
		}
		time.Sleep(seconds * time.Second)
		after, err := s.CPU()
		if err != nil {
			return err
		}
		used := after.Sub(before).Total()
		share := used.Seconds() / seconds
		// The collector without this receiver uses some tenths of a per mille.
		b.table.judge(share < 0.002, fmt.Sprintf("CPU while idle, over %d s", seconds), "not measurable (< 0.2 %)",
			"%.2f %% of one CPU", 100*share)
		return nil
	})
}

// residentMemory adds the highest resident memory of all collectors measured so far.
func (b *bench) residentMemory() {
	const goal = 120
	b.table.judge(mebibytes(b.peak.Peak) <= goal, "resident memory, maximum of all runs", fmt.Sprintf("≤ %d MiB", goal),
		"%.0f MiB; at the end of that run %s", mebibytes(b.peak.Peak), b.peak)
}
