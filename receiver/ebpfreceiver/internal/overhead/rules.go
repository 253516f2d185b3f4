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
	// A program steps down when patience more intervals were above the limit than below it, or onTrial if a program has just stepped
	// up. This counts bursts, which need not exceed the limit in every interval.
	patience, onTrial = 3, 2
	// minWait is the number of intervals in a row with a cost below half the limit before a program steps up. If it has to step down
	// again soon, it waits twice as long each time, up to maxWait.
	minWait, maxWait = 10, 600
	// period is the number of intervals in which a sampled program is attached once.
	period = 10
	// negligible is the share of the limit below which a program is not stepped down, because that would save nothing.
	negligible = 0.1
)

// Step changes the level of a program.
type Step struct {
	Program string
	To      program.Level
	// Reason is a text for users.
	Reason string
}

// Rules decide from the measurements which programs step down, and when they step up again. The caller takes the steps.
type Rules struct {
	limit   float64
	ladders []*ladder
	// over is the number of intervals above the limit minus those below it. under counts the intervals in a row below half of it.
	over, under int
	// pause is the number of intervals that are not judged, because events from before the last step are still being delivered.
	pause int
	// steps counts all steps.
	steps int
}

// ladder has the levels of one program, and its place on them.
type ladder struct {
	program string
	levels  []program.Level // of which the first is LevelFull
	at      int             // the index of its present level
	// wait is the number of intervals that it has to wait before it steps up. rested counts the intervals since it stepped up.
	wait, rested int
	// last is Rules.steps at its last step down.
	last int
	// whole is its cost when it is attached all the time, estimated from the last sample.
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

// isBackRecently reports whether the program has just stepped up, so that it may have to step down again.
func (l *ladder) isBackRecently() bool { return l.rested <= l.wait }

// cost returns the average cost of the program over a period: for a sampled program, a tenth of the cost while it is attached.
func (l *ladder) cost(measured float64) float64 {
	if l.level() != program.LevelSampled {
		return measured
	}
	if l.open {
		l.whole = measured
	}
	return l.whole / period
}

// Opened records that a sampled program was attached in the interval that is judged next, or that it was not.
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

// down steps down the most expensive programs: as many as needed, if each costs nothing after its step.
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
			"the programs cost %s of a CPU, above the overhead_limit of %s; this one costs %s", shareText(total), Percent(r.limit, LimitDecimals), shareText(cost))})
	}
	if len(steps) > 0 {
		r.pause = 1
	}
	return steps
}

// up steps up the program that was stepped down last, once it has waited.
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
	// The last sample says what the program would cost.
	if last.level() == program.LevelSampled && total-last.whole/period+last.whole > r.limit/2 {
		return nil
	}
	last.at--
	last.rested, r.under, r.pause = 0, 0, 1
	return []Step{{Program: last.program, To: last.level(), Reason: fmt.Sprintf(
		"the programs cost %s of a CPU, below half of the overhead_limit of %s", shareText(total), Percent(r.limit, LimitDecimals))}}
}

// Exceeded reports whether the limit is exceeded for long enough to step down.
func (r *Rules) Exceeded() bool {
	if slices.ContainsFunc(r.ladders, (*ladder).isBackRecently) {
		return r.over >= onTrial
	}
	return r.over >= patience
}

// Limited returns the programs that are limited, with their levels, in their order.
func (r *Rules) Limited() (limited []Step) {
	for _, l := range r.ladders {
		if l.at > 0 {
			limited = append(limited, Step{Program: l.program, To: l.level()})
		}
	}
	return limited
}

// LimitDecimals is the number of decimals of a limit: the smallest limit is 0.1 %.
const LimitDecimals = 4

// shareText writes a measured share of one CPU, with about three digits.
func shareText(share float64) string {
	if share >= 0.1 {
		return Percent(share, 0)
	}
	return Percent(share, 2)
}

// Percent writes a share as a percentage with so many decimals at most.
func Percent(share float64, decimals int) string {
	unit := math.Pow10(decimals)
	return strconv.FormatFloat(math.Round(share*100*unit)/unit, 'f', -1, 64) + "%"
}
