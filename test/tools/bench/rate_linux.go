// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

// alternate makes the same traffic without the receiver and with each of the settings. It repeats this several times, so that
// changes of the machine's state affect all of them. It returns the results without the receiver first, then by settings.
func (b *bench) alternate(connections traffic.Connections, times int, with ...settings) (all [][]traffic.ConnectionsDone, err error) {
	// Warm up: at first the table of TIME_WAIT connections is empty.
	if _, err := connections.Run(b.container); err != nil {
		return nil, err
	}
	all = make([][]traffic.ConnectionsDone, 1+len(with))
	for run := range b.runs {
		for i := range all {
			i = (i + run) % len(all)
			work := func() error {
				for range times {
					done, err := connections.Run(b.container)
					if err != nil {
						return err
					}
					all[i] = append(all[i], done)
				}
				return nil
			}
			if i == 0 {
				err = work()
			} else {
				err = b.with(with[i-1], func(*subject) error { return work() })
			}
			if err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// rate measures how much the receiver lowers the maximum connection rate. The median of short runs is more robust than one
// long run, because other activity disturbs some of them.
func (b *bench) rate() error {
	const times = 10
	all, err := b.alternate(b.flatOut(b.rateConnections/times), times, asConfigured, withoutEvents)
	if err != nil {
		return err
	}
	perSecond := func(d traffic.ConnectionsDone) float64 { return d.PerSecond() }
	without := medianOf(all[0], perSecond)
	b.table.note("connections flat out without the receiver", "%s/s", spread(all[0], perSecond, "%.0f"))
	for i, c := range []struct {
		what string
		goal float64
	}{{"with the receiver", 85}, {"with events: false", 97}} {
		share := 100 * medianOf(all[i+1], perSecond) / without
		b.table.judge(share >= c.goal, "connections flat out "+c.what, fmt.Sprintf("≥ %.0f %%", c.goal),
			"%.1f %%: %s/s", share, spread(all[i+1], perSecond, "%.0f"))
	}
	return nil
}

// latency measures how much longer connect() takes at a fixed rate that does not saturate the machine.
func (b *bench) latency() error {
	all, err := b.alternate(b.atRate(), 1, asConfigured)
	if err != nil {
		return err
	}
	connect := func(d traffic.ConnectionsDone) time.Duration { return d.Connect.Median }
	without, with := medianOf(all[0], connect), medianOf(all[1], connect)
	us := func(d traffic.ConnectionsDone) float64 { return microseconds(connect(d)) }
	b.table.judge(with-without <= 2*time.Microsecond, fmt.Sprintf("median connect() at %d/s, longer by", connectionRate), "≤ 2 µs",
		"%.2f µs: %s µs with, %s µs without", microseconds(with-without), spread(all[1], us, "%.1f"), spread(all[0], us, "%.1f"))
	return nil
}

func median[T ~float64 | ~int64](values []T) T {
	values = slices.Sorted(slices.Values(values))
	return (values[(len(values)-1)/2] + values[len(values)/2]) / 2
}

func medianOf[T ~float64 | ~int64](results []traffic.ConnectionsDone, of func(traffic.ConnectionsDone) T) T {
	return median(valuesOf(results, of))
}

// spread writes the median with the minimum and the maximum.
func spread(results []traffic.ConnectionsDone, of func(traffic.ConnectionsDone) float64, format string) string {
	values := valuesOf(results, of)
	return fmt.Sprintf(format+" ("+format+"–"+format+")", median(values), slices.Min(values), slices.Max(values))
}

func valuesOf[T any](results []traffic.ConnectionsDone, of func(traffic.ConnectionsDone) T) []T {
	values := make([]T, len(results))
	for i, r := range results {
		values[i] = of(r)
	}
	return values
}
