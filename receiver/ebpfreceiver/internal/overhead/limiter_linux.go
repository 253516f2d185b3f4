// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package overhead

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

// Programs are the programs whose cost is limited. program.Set implements it.
type Programs interface {
	Usages() ([]program.Usage, error)
	// SetTiming switches the measurement of run times on or off.
	SetTiming(on bool) error
	// Levels returns the names of the programs that can be limited, and the levels of each.
	Levels() (names []string, levels map[string][]program.Level)
	// SetLevel changes the level of a program.
	SetLevel(name string, level program.Level, reason string) error
	// Hold switches the events of limited programs off again, where they were switched on meanwhile.
	Hold() error
	// Open attaches a sampled program, or detaches it again.
	Open(name string, open bool) error
}

// Settings are what a Limiter needs.
type Settings struct {
	Logger *zap.Logger
	// Limit is a share of one CPU.
	Limit    float64
	Interval time.Duration
	Programs Programs
	// Status receives an error while programs are limited, and nil when none is any more.
	Status func(error)
}

// Limiter measures the cost of programs, and keeps it below a limit. It is one goroutine.
type Limiter struct {
	settings Settings
	meter    meter
	rules    *Rules
	stop     chan struct{}
	done     chan struct{}

	// loggedFailure and loggedExceeded say that these messages were logged. status is the last reported error, "" for none.
	loggedFailure, loggedExceeded bool
	status                        string
	// intervals counts the measured intervals.
	intervals int

	mu sync.Mutex // guards the fields below
	// last is the last interval; sum adds up those since the last scrape, summed their number.
	last, sum Measurement
	summed    int
}

// Start starts a Limiter.
func Start(settings Settings) *Limiter {
	l := &Limiter{settings: settings, stop: make(chan struct{}), done: make(chan struct{})}
	names, levels := settings.Programs.Levels()
	l.rules = NewRules(settings.Limit, names, levels)
	l.meter = meter{
		usages: settings.Programs.Usages, setTiming: settings.Programs.SetTiming, processTime: kernel.ProcessTime, sleep: l.sleep,
	}
	go l.run()
	return l
}

// Stop stops the measurements and waits for the last one. The levels stay as they are.
func (l *Limiter) Stop() {
	if l != nil {
		close(l.stop)
		<-l.done
	}
}

func (l *Limiter) sleep(d time.Duration) bool {
	select {
	case <-l.stop:
		return false
	case <-time.After(d):
		return true
	}
}

func (l *Limiter) run() {
	defer close(l.done)
	if err := l.prepare(); err != nil {
		l.settings.Logger.Error("Cannot measure the overhead; overhead_limit has no effect", zap.Error(err))
		return
	}
	for {
		measured, err := l.meter.measure(l.settings.Interval)
		if errors.Is(err, errStopped) {
			return
		}
		if err != nil {
			if !l.sleep(l.settings.Interval) {
				return
			}
			l.warnOnce(&l.loggedFailure, "Cannot measure the overhead of an interval; further failures are not reported", zap.Error(err))
			continue
		}
		l.add(measured)
		l.judge(measured)
	}
}

// prepare begins the first interval.
func (l *Limiter) prepare() error {
	usages, err := l.settings.Programs.Usages()
	if err != nil {
		return err
	}
	process, err := l.meter.processTime()
	if err != nil {
		return err
	}
	l.meter.begin(usages, process)
	return nil
}

func (l *Limiter) warnOnce(logged *bool, text string, fields ...zap.Field) {
	if !*logged {
		*logged = true
		l.settings.Logger.Warn(text, fields...)
	}
}

// judge takes the steps that the rules decide on after an interval.
func (l *Limiter) judge(measured Measurement) {
	for _, step := range l.rules.Judge(measured) {
		if err := l.settings.Programs.SetLevel(step.Program, step.To, step.Reason); err != nil {
			l.settings.Logger.Error("Cannot limit a program to hold overhead_limit",
				zap.String("program", step.Program), zap.Stringer("to", step.To), zap.Error(err))
		}
	}
	limited := l.rules.Limited()
	if l.rules.Exceeded() && len(limited) == 0 {
		l.warnOnce(&l.loggedExceeded, "The programs cost more than overhead_limit, and none of them can do less")
	}
	l.report(limited)
	if err := l.settings.Programs.Hold(); err != nil {
		l.settings.Logger.Error("Cannot switch off the events of limited programs", zap.Error(err))
	}
	l.intervals++
	for i, one := range limited {
		if one.To == program.LevelSampled {
			l.sample(one.Program, (l.intervals+i)%period == 0)
		}
	}
}

// sample attaches a sampled program for the next interval, or detaches it.
func (l *Limiter) sample(name string, open bool) {
	if err := l.settings.Programs.Open(name, open); err != nil {
		l.settings.Logger.Error("Cannot attach or detach a sampled program", zap.String("program", name), zap.Error(err))
		return
	}
	l.rules.Opened(name, open)
}

// report reports the component's status if it has changed.
func (l *Limiter) report(limited []Step) {
	err, text := statusOf(limited, l.settings.Limit), ""
	if err != nil {
		text = err.Error()
	}
	if text != l.status {
		l.status = text
		l.settings.Status(err)
	}
}

// statusOf returns the error for the component's status, nil if no program is limited.
func statusOf(limited []Step, limit float64) error {
	if len(limited) == 0 {
		return nil
	}
	var text strings.Builder
	for i, one := range limited {
		if i > 0 {
			text.WriteString(", ")
		}
		fmt.Fprintf(&text, "%s: %s", one.Program, one.To)
	}
	return fmt.Errorf("the overhead_limit of %s was exceeded, so these programs do less: %s", Percent(limit, LimitDecimals), text.String())
}

func (l *Limiter) add(measured Measurement) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = measured
	l.sum = l.sum.plus(measured)
	l.summed++
}

// Scrape adds ebpf.overhead.
func (l *Limiter) Scrape(b *metrics.Builder) {
	if l == nil {
		return
	}
	l.mu.Lock()
	measured, n := l.sum, float64(l.summed)
	if l.summed == 0 {
		measured, n = l.last, 1
	}
	l.sum, l.summed = Measurement{}, 0
	none := l.last.Costs == nil
	l.mu.Unlock()
	if none {
		return
	}
	host := b.For(nil)
	for _, c := range measured.Costs {
		name := metadata.WithEbpfProgramNameMetricAttribute(c.Program)
		host.RecordEbpfOverheadDataPoint(b.Now, c.Kernel/n, metadata.AttributeEbpfOverheadPlaceKernel, name)
		host.RecordEbpfOverheadDataPoint(b.Now, c.Process/n, metadata.AttributeEbpfOverheadPlaceProcess, name)
	}
	host.RecordEbpfOverheadDataPoint(b.Now, measured.Rest/n, metadata.AttributeEbpfOverheadPlaceProcess)
}
