// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package overhead

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

const (
	// patience is how many more intervals are above the limit than below it before something happens; onTrial, while a program has
	// just come back. A load that comes in bursts need not exceed the limit in each interval.
	patience, onTrial = 3, 2
	// minWait is for how many intervals in a row the cost is below half the limit before something comes back. If it has to go
	// again soon, it waits twice as long each time, up to maxWait.
	minWait, maxWait = 10, 600
	// period is the number of intervals of which a sampled program is attached in one.
	period = 10
	// negligible is the share of the limit below which a program is left alone: to step it down changes nothing.
	negligible = 0.1
)

// Step changes the level of a program.
type Step struct {
	Program string
	To      program.Level
	// Reason is in words for users.
	Reason string
}

// Rules decide from the measurements which programs do less, and when they do everything again. They do nothing by themselves.
type Rules struct {
	limit   float64
	ladders []*ladder
	// over is how many more intervals were above the limit than below it. under counts the intervals in a row below half of it.
	over, under int
	// pause is the number of intervals that are not judged: what happened before a step is still being worked on.
	pause int
	// steps counts them, to know the last one.
	steps int
}

// ladder has the levels of one program.
type ladder struct {
	program string
	levels  []program.Level // of which the first is LevelFull
	at      int             // the index of its present level
	// wait is how long it has to wait before it comes back. rested counts intervals since it came back.
	wait, rested int
	// last is the number of its last step down.
	last int
	// whole is what it costs when it is attached all the time, as the last sample has it.
	whole float64
	// open reports that a sampled program was attached in the interval.
	open bool
}

// NewRules returns the rules for programs with these levels, the first of which is LevelFull.
func NewRules(limit float64, programs []string, levels map[string][]program.Level) *Rules {
	r := &Rules{limit: limit}
	for _, name := range programs {
		r.ladders = append(r.ladders, &ladder{program: name, levels: levels[name], wait: minWait, rested: maxWait + 1})
	}
	return r
}

func (l *ladder) level() program.Level { return l.levels[l.at] }

// isBackRecently reports whether the program has stepped up not long ago: it may have to go again.
func (l *ladder) isBackRecently() bool { return l.rested <= l.wait }

// cost returns the cost of the program over a period: that of a sampled program is a tenth of what it costs while it is attached.
func (l *ladder) cost(measured float64) float64 {
	if l.level() != program.LevelSampled {
		return measured
	}
	if l.open {
		l.whole = measured
	}
	return l.whole / period
}

// Opened says which sampled program was attached in the interval that is judged next.
func (r *Rules) Opened(name string, open bool) {
	for _, l := range r.ladders {
		if l.program == name {
			l.open = open
		}
	}
}

// Judge returns the steps after an interval.
func (r *Rules) Judge(m Measurement) []Step {
	costs := map[string]float64{}
	for _, c := range m.Costs {
		costs[c.Program] = c.Total()
	}
	for _, l := range r.ladders {
		costs[l.program] = l.cost(costs[l.program])
		l.rested++
		if l.at == 0 && l.rested > 2*l.wait {
			l.wait = minWait
		}
	}
	var total float64
	for _, cost := range costs {
		total += cost
	}
	switch {
	case r.pause > 0:
		r.pause--
		return nil
	case total > r.limit:
		r.over, r.under = min(r.over+1, patience), 0
		if !r.Exceeded() {
			return nil
		}
		return r.down(costs, total)
	case total < r.limit/2:
		r.over, r.under = max(r.over-1, 0), r.under+1
		return r.up(total)
	}
	r.over, r.under = max(r.over-1, 0), 0
	return nil
}

// down steps the most expensive programs down, as many as it takes if they cost nothing any more.
func (r *Rules) down(costs map[string]float64, total float64) (steps []Step) {
	byCost := slices.Clone(r.ladders)
	slices.SortStableFunc(byCost, func(a, b *ladder) int { return cmp.Compare(costs[b.program], costs[a.program]) })
	left := total
	for _, l := range byCost {
		cost := costs[l.program]
		if left <= r.limit || cost < negligible*r.limit {
			break
		}
		if l.at+1 == len(l.levels) {
			continue
		}
		if l.isBackRecently() {
			l.wait = min(2*l.wait, maxWait)
		}
		l.at++
		r.steps++
		l.last, l.whole = r.steps, cost
		left -= cost
		steps = append(steps, Step{Program: l.program, To: l.level(), Reason: fmt.Sprintf(
			"the programs cost %s of a CPU, above the overhead_limit of %s; this one costs %s", percent(total), percent(r.limit), percent(cost))})
	}
	if len(steps) > 0 {
		r.pause = 1
	}
	return steps
}

// up steps the program back up that was stepped down last, once it has waited.
func (r *Rules) up(total float64) []Step {
	var last *ladder
	for _, l := range r.ladders {
		if l.at > 0 && (last == nil || l.last > last.last) {
			last = l
		}
	}
	if last == nil || r.under < last.wait {
		return nil
	}
	// A sample says what comes back.
	if last.level() == program.LevelSampled && total-last.whole/period+last.whole > r.limit/2 {
		return nil
	}
	last.at--
	last.rested, r.under, r.pause = 0, 0, 1
	return []Step{{Program: last.program, To: last.level(), Reason: fmt.Sprintf(
		"the programs cost %s of a CPU, below half of the overhead_limit of %s", percent(total), percent(r.limit))}}
}

// Exceeded reports whether the limit is exceeded for so long that something has to happen.
func (r *Rules) Exceeded() bool {
	if slices.ContainsFunc(r.ladders, (*ladder).isBackRecently) {
		return r.over >= onTrial
	}
	return r.over >= patience
}

// Limited returns the programs that do less than everything, with their levels, in their order.
func (r *Rules) Limited() (limited []Step) {
	for _, l := range r.ladders {
		if l.at > 0 {
			limited = append(limited, Step{Program: l.program, To: l.level()})
		}
	}
	return limited
}

// percent writes a share of one CPU.
func percent(share float64) string {
	precision := 100.0
	if share >= 0.1 {
		precision = 1
	}
	return strconv.FormatFloat(math.Round(share*100*precision)/precision, 'f', -1, 64) + "%"
}
