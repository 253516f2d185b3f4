// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package overhead

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

// host is a host on which each program has a cost per level. Its rules have a limit of 2 %.
type host struct {
	rules *Rules
	// full, silent are the costs of a program with and without its events, in percent.
	full, silent map[string]float64
	level        map[string]program.Level
	interval     int
	open         map[string]bool
}

func newHost(full, silent map[string]float64) *host {
	names := []string{"connection", "packet_drop", "tcp"}
	return &host{
		rules: NewRules(0.02, names, map[string][]program.Level{
			"connection":  {program.LevelFull, program.LevelEventsOff, program.LevelDetached},
			"packet_drop": {program.LevelFull, program.LevelEventsOff, program.LevelSampled, program.LevelDetached},
			"tcp":         {program.LevelFull, program.LevelDetached},
		}),
		full: full, silent: silent, level: map[string]program.Level{}, open: map[string]bool{},
	}
}

// pass judges a number of intervals, and returns the steps as "interval program:level".
func (h *host) pass(intervals int) (steps []string) {
	for range intervals {
		h.interval++
		var m Measurement
		for _, name := range []string{"connection", "packet_drop", "tcp"} {
			c := Cost{Program: name}
			switch h.level[name] {
			case program.LevelFull:
				c.Kernel, c.Process = h.silent[name]/100, (h.full[name]-h.silent[name])/100
			case program.LevelEventsOff:
				c.Kernel = h.silent[name] / 100
			case program.LevelSampled:
				if h.open[name] {
					c.Kernel = h.silent[name] / 100
				}
			case program.LevelDetached:
			}
			m.Costs = append(m.Costs, c)
		}
		for _, step := range h.rules.Judge(m) {
			h.level[step.Program] = step.To
			steps = append(steps, fmt.Sprintf("%d %s:%s", h.interval, step.Program, step.To))
		}
		for name, level := range h.level {
			h.open[name] = level == program.LevelSampled && h.interval%period == 0
			h.rules.Opened(name, h.open[name])
		}
	}
	return steps
}

func costs(connection, packetDrop, tcp float64) map[string]float64 {
	return map[string]float64{"connection": connection, "packet_drop": packetDrop, "tcp": tcp}
}

func TestRulesStepDown(t *testing.T) {
	for name, tt := range map[string]struct {
		full, silent map[string]float64
		want         string
	}{
		"below the limit":                              {costs(0.9, 0.9, 0.1), costs(0, 0, 0), ""},
		"at the limit":                                 {costs(2, 0, 0), costs(0, 0, 0), ""},
		"events are enough":                            {costs(9, 0.1, 0), costs(1, 0.1, 0), "3 connection:events_off"},
		"events are not enough":                        {costs(9, 0.1, 0), costs(3, 0.1, 0), "3 connection:events_off, 5 connection:detached"},
		"a sample is enough":                           {costs(0, 9, 0), costs(0, 8, 0), "3 packet_drop:events_off, 5 packet_drop:sampled"},
		"a sample is not enough":                       {costs(0, 90, 0), costs(0, 80, 0), "3 packet_drop:events_off, 5 packet_drop:sampled, 7 packet_drop:detached"},
		"without events":                               {costs(0, 0, 3), costs(0, 0, 3), "3 tcp:detached"},
		"the most expensive one first":                 {costs(1.5, 1.8, 0), costs(0.1, 0.1, 0), "3 packet_drop:events_off"},
		"several at once":                              {costs(5, 6, 7), costs(0.1, 0.1, 7), "3 tcp:detached, 3 packet_drop:events_off, 3 connection:events_off"},
		"what costs nothing is left alone":             {costs(9, 0.1, 0.1), costs(9, 0.1, 0.1), "3 connection:events_off, 5 connection:detached"},
		"many who cost next to nothing are left alone": {costs(0.19, 0.19, 0.19), costs(0.1, 0.1, 0.1), ""},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, tt.want, strings.Join(newHost(tt.full, tt.silent).pass(9), ", "))
		})
	}
}

func TestRulesArePatient(t *testing.T) {
	h := newHost(costs(0, 0, 0), costs(0, 0, 0))
	for range 20 {
		h.full = costs(50, 0, 0)
		assert.Empty(t, h.pass(2), "two intervals above the limit are a peak")
		h.full = costs(1.5, 0, 0)
		assert.Empty(t, h.pass(2))
	}
}

// Bursts exceed the limit in most intervals, but not in three in a row.
func TestRulesSeeBursts(t *testing.T) {
	h := newHost(costs(0, 0, 0), costs(0, 0, 0))
	var steps []string
	for range 2 {
		h.full = costs(50, 0, 0)
		steps = append(steps, h.pass(2)...)
		h.full = costs(0, 0, 0)
		steps = append(steps, h.pass(1)...)
	}
	assert.Equal(t, []string{"5 connection:events_off"}, steps)
}

func TestRulesStepUp(t *testing.T) {
	h := newHost(costs(9, 90, 0), costs(9, 80, 0))
	assert.Equal(t, []string{
		"3 packet_drop:events_off", "3 connection:events_off", "5 packet_drop:sampled", "5 connection:detached",
		"7 packet_drop:detached",
	}, h.pass(9))
	h.full, h.silent = costs(0, 0, 0), costs(0, 0, 0)
	assert.Equal(t, []string{
		"18 packet_drop:sampled", "29 packet_drop:events_off", "40 packet_drop:attached",
		"51 connection:events_off", "62 connection:attached",
	}, h.pass(100), "the last one first, a level at a time, and each waits")
	assert.Empty(t, h.rules.Limited())
}

// Between half the limit and the limit nothing changes.
func TestRulesHaveHysteresis(t *testing.T) {
	h := newHost(costs(9, 0, 0), costs(1.1, 0, 0))
	assert.Equal(t, []string{"3 connection:events_off"}, h.pass(500))
	h.full, h.silent = costs(1.9, 0, 0), costs(0.9, 0, 0)
	assert.Equal(t, []string{"510 connection:attached"}, h.pass(500))
}

// A program that has to step down as soon as it has stepped up waits twice as long each time, and steps down with less patience. So it
// is up for a small share of the time.
func TestRulesBackOff(t *testing.T) {
	h := newHost(costs(0, 0, 9), costs(0, 0, 9))
	steps := h.pass(3000)
	assert.Equal(t, []string{
		"3 tcp:detached", "14 tcp:attached", "17 tcp:detached", "38 tcp:attached", "41 tcp:detached", "82 tcp:attached", "85 tcp:detached",
	}, steps[:7])
	last := 0
	for _, step := range steps {
		if strings.Contains(step, "attached") && !strings.Contains(step, "detached") {
			var at int
			_, _ = fmt.Sscanf(step, "%d", &at)
			assert.LessOrEqual(t, at-last, maxWait+5)
			last = at
		}
	}
	// After a long time below the limit, it waits for the shortest time again.
	h.full, h.silent = costs(0, 0, 0), costs(0, 0, 0)
	h.pass(3 * maxWait)
	assert.Empty(t, h.rules.Limited())
	h.full, h.silent = costs(0, 0, 9), costs(0, 0, 9)
	again := h.interval
	steps = h.pass(20)
	assert.Equal(t, []string{fmt.Sprintf("%d tcp:detached", again+3), fmt.Sprintf("%d tcp:attached", again+14), fmt.Sprintf("%d tcp:detached", again+17)}, steps)
}

// A sample says what a program would cost if it were attached all the time.
func TestRulesTrustSamples(t *testing.T) {
	h := newHost(costs(0, 9, 0), costs(0, 8, 0))
	assert.Equal(t, []string{"3 packet_drop:events_off", "5 packet_drop:sampled"}, h.pass(1000))
	h.full, h.silent = costs(0, 0.4, 0), costs(0, 0.3, 0)
	assert.Len(t, h.pass(50), 2)
	assert.Empty(t, h.rules.Limited())
}

func TestPercent(t *testing.T) {
	for share, want := range map[float64]string{0: "0%", 0.02: "2%", 0.0012: "0.12%", 0.0999: "9.99%", 0.346: "35%", 2.5: "250%"} {
		assert.Equal(t, want, shareText(share))
	}
	for limit, want := range map[float64]string{0.125: "12.5%", 0.02: "2%", 0.0015: "0.15%", 1.0 / 3: "33.3333%"} {
		assert.Equal(t, want, Percent(limit, LimitDecimals))
	}
}
