// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package overhead

import (
	"cmp"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

// Cost is the cost of a program, in shares of one CPU.
type Cost struct {
	Program string
	// Kernel is the run time of its functions.
	Kernel float64
	// Process is the collector's work on its events.
	Process float64
}

// Total is the whole cost of the program.
func (c Cost) Total() float64 { return c.Kernel + c.Process }

// Measurement is the cost in one interval.
type Measurement struct {
	Costs []Cost
	// Rest is the cost of the collector's process without its work on events.
	Rest float64
}

// Total is the cost that the limit applies to. It leaves out Rest, which no step of a program changes.
func (m Measurement) Total() (total float64) {
	for _, c := range m.Costs {
		total += c.Total()
	}
	return total
}

// plus adds up the costs of two intervals. A program need not be in both.
func (m Measurement) plus(other Measurement) Measurement {
	sum := Measurement{Costs: slices.Clone(m.Costs), Rest: m.Rest + other.Rest}
	for _, c := range other.Costs {
		i := slices.IndexFunc(sum.Costs, func(has Cost) bool { return has.Program == c.Program })
		if i < 0 {
			sum.Costs = append(sum.Costs, c)
			continue
		}
		sum.Costs[i].Kernel += c.Kernel
		sum.Costs[i].Process += c.Process
	}
	return sum
}

// maxPerEvent is the maximum CPU time of the process that is attributed to one event. The rest is taken for the work of other receivers.
// The most expensive pipelines that were measured need about half of it.
const maxPerEvent = 100 * time.Microsecond

// sampled is the part of an interval in which the programs are timed: each run of one costs some 40 ns more then.
const sampled = 10

// errStopped ends a measurement early.
var errStopped = errors.New("stopped")

// meter measures intervals, one after the other.
type meter struct {
	usages func() ([]program.Usage, error)
	// setTiming switches the measurement of run times on or off.
	setTiming   func(on bool) error
	processTime func() (time.Duration, error)
	// sleep returns false if the measurement has to end.
	sleep func(time.Duration) bool

	// The process and the events up to the last interval.
	before  time.Time
	process time.Duration
	events  map[string]uint64
}

// begin begins the first interval.
func (m *meter) begin(usages []program.Usage, process time.Duration) {
	m.before, m.process, m.events = time.Now(), process, map[string]uint64{}
	for _, u := range usages {
		m.events[u.Program] = u.Events
	}
}

// measure measures one interval. It samples the cost in the kernel at a random time, so that periodic work, such as once per second or
// per collection, has its share of the samples.
func (m *meter) measure(interval time.Duration) (Measurement, error) {
	length := interval / sampled
	before := rand.N(interval - length) //nolint:gosec // it is no secret
	if !m.sleep(before) {
		return Measurement{}, errStopped
	}
	inKernel, err := m.sample(length)
	if err != nil {
		return Measurement{}, err
	}
	if !m.sleep(interval - length - before) {
		return Measurement{}, errStopped
	}
	usages, err := m.usages()
	if err != nil {
		return Measurement{}, err
	}
	process, err := m.processTime()
	if err != nil {
		return Measurement{}, err
	}
	now := time.Now()
	measured := m.measurement(usages, inKernel, process, now)
	m.before, m.process = now, process
	return measured, nil
}

// sample returns the share of one CPU that each program had in the kernel while it was timed.
func (m *meter) sample(length time.Duration) (map[string]float64, error) {
	if err := m.setTiming(true); err != nil {
		return nil, err
	}
	before, err := m.usages()
	begin := time.Now()
	if err == nil && !m.sleep(length) {
		err = errStopped
	}
	if err != nil {
		return nil, errors.Join(err, m.setTiming(false))
	}
	after, err := m.usages()
	elapsed := time.Since(begin)
	if err := errors.Join(err, m.setTiming(false)); err != nil {
		return nil, err
	}
	shares := map[string]float64{}
	for i, u := range after {
		if i < len(before) && before[i].Program == u.Program {
			shares[u.Program] = float64(u.RunTime-before[i].RunTime) / float64(elapsed)
		}
	}
	return shares, nil
}

// measurement splits the time of the process by the events of the interval.
func (m *meter) measurement(usages []program.Usage, inKernel map[string]float64, process time.Duration, now time.Time) Measurement {
	counts, all := make([]uint64, len(usages)), uint64(0)
	for i, u := range usages {
		counts[i] = u.Events - min(u.Events, m.events[u.Program])
		all += counts[i]
	}
	m.events = map[string]uint64{}
	measured := Measurement{}
	interval := cmp.Or(now.Sub(m.before), 1)
	spent := process - m.process
	forEvents := min(spent, time.Duration(all)*maxPerEvent)
	for i, u := range usages {
		m.events[u.Program] = u.Events
		c := Cost{Program: u.Program, Kernel: inKernel[u.Program]}
		if all > 0 {
			c.Process = float64(forEvents) * float64(counts[i]) / float64(all) / float64(interval)
		}
		measured.Costs = append(measured.Costs, c)
	}
	measured.Rest = float64(spent-forEvents) / float64(interval)
	return measured
}
