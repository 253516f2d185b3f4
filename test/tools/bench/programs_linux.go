// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/collector"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/programs"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/provoke"
)

// programs measures each program alone: its kernel time, the collector's CPU per event, and how much it slows down the work.
func (b *bench) programs() error {
	chosen, err := regexp.Compile(b.options.programs)
	if err != nil {
		return fmt.Errorf("the value of -programs: %w", err)
	}
	for _, listed := range programs.All() {
		p := provoke.Of(listed.Name)
		if p.Work == nil || !chosen.MatchString(p.Name) {
			continue
		}
		if err := b.program(p); err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
	}
	return nil
}

func (b *bench) program(p provoke.Program) (err error) {
	if p.Work.Prepare != nil {
		var made io.Closer
		if made, err = p.Work.Prepare(); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, made.Close()) }()
	}
	statistics, err := ebpf.EnableStats(unix.BPF_STATS_RUN_TIME)
	if err != nil {
		return fmt.Errorf("enable the kernel's run-time statistics of BPF programs: %w", err)
	}
	err = b.programInKernel(p)
	if err := statistics.Close(); err != nil {
		return err
	}
	if err != nil {
		return err
	}
	return b.slowDown(p)
}

func (b *bench) programInKernel(p provoke.Program) error {
	work := func() error { _, err := p.Work.Run(b.place()); return err }
	counted, err := b.kernelRun(alone(p.Name, p.Work.Counted), p.Work.Tracepoint, work)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("%s: kernel time per hit, counted only", p.Name)
	if each := counted.perHit(p.Work.Hits); p.Work.Goal > 0 {
		b.table.judge(each <= p.Work.Goal, what, fmt.Sprintf("≤ %.0f ns", p.Work.Goal), "%.0f ns", each)
	} else {
		b.table.note(what, "%.0f ns", each)
	}
	b.table.note("  of which", "%s", counted)
	if p.Work.Emitted == "" {
		return nil
	}
	emitted, err := b.kernelRun(alone(p.Name, p.Work.Emitted), p.Work.Tracepoint, work)
	if err != nil {
		return err
	}
	labels := collector.Labels{"ebpf_program_name": p.Name}
	events := emitted.page.Sum("ebpf_event_delivered_total", labels)
	b.table.note(p.Name+": kernel time per hit, emitted", "%.0f ns", emitted.perHit(p.Work.Hits))
	b.table.note("  of which", "%s; %.0f events delivered, %.0f lost", emitted, events, emitted.page.Sum("ebpf_event_lost_total", labels))
	b.table.note(p.Name+": CPU of the collector per event", "%.2f µs", microseconds(emitted.used.Total())/max(1, events))
	return nil
}

// perHit is the time of all programs divided by the number of hits, in nanoseconds.
func (k *kernelRun) perHit(hits []string) float64 {
	var n uint64
	for name, r := range k.programs {
		if slices.ContainsFunc(hits, func(hit string) bool { return strings.HasPrefix(hit, name) }) {
			n += r.count
		}
	}
	if n == 0 {
		return 0
	}
	return k.total() / float64(n)
}

// slowDown compares the medians of alternating runs of the work with and without the program.
func (b *bench) slowDown(p provoke.Program) error {
	// Warm up: the first run after a pause is slower.
	if _, err := p.Work.Run(b.place()); err != nil {
		return err
	}
	var each [2][]time.Duration // without, with
	for run := range 2 * b.runs {
		with := (run + run/2) % 2 // alternate which of the two goes first
		work := func(*subject) error {
			done, err := p.Work.Run(b.place())
			each[with] = append(each[with], done.Each())
			return err
		}
		var err error
		if with == 1 {
			err = b.with(alone(p.Name, p.Work.Counted), work)
		} else {
			err = work(nil)
		}
		if err != nil {
			return err
		}
	}
	slices.Sort(each[0])
	slices.Sort(each[1])
	off, on := each[0][b.runs/2], each[1][b.runs/2]
	b.table.note(p.Name+": the work is slower by", "%.1f %%: a round takes %s with it, %s without", 100*(float64(on)/float64(off)-1), on, off)
	return nil
}

// place is where the work is done.
func (b *bench) place() provoke.Place {
	return provoke.Place{Container: b.container, Connections: b.flatOut(b.rateConnections)}
}
