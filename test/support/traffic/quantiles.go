// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package traffic

import (
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Quantiles describes a distribution of durations.
type Quantiles struct{ Median, P90, P99 time.Duration }

func quantiles(samples ...[]time.Duration) Quantiles {
	all := slices.Concat(samples...)
	if len(all) == 0 {
		return Quantiles{}
	}
	slices.Sort(all)
	at := func(percent int) time.Duration { return all[(len(all)-1)*percent/100] }
	return Quantiles{Median: at(50), P90: at(90), P99: at(99)}
}

// exactTimers sets this thread's timer slack to its minimum. The default is 50 µs.
func exactTimers() error {
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("set the timer slack: %w", err)
	}
	return nil
}

// ticker waits for the ticks of a fixed rate. It delivers a missed tick at once, so that the average rate is right.
type ticker struct {
	next   int64 // CLOCK_MONOTONIC, ns
	period int64
}

func newTicker(period time.Duration) *ticker {
	return &ticker{next: monotonic(), period: period.Nanoseconds()}
}

func (t *ticker) wait() {
	t.next += t.period
	until := unix.NsecToTimespec(t.next)
	for unix.ClockNanosleep(unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, &until, nil) == unix.EINTR {
	}
}

func monotonic() int64 {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now)
	return now.Nano()
}
