// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/collector"
)

// runs are the kernel's run-time statistics of one program.
type runs struct {
	count uint64
	time  time.Duration
}

func (r runs) sub(before runs) runs { return runs{r.count - before.count, r.time - before.time} }

// each is the mean time of one run in nanoseconds, without the overhead of the kernel's measuring.
func (r runs) each(overhead float64) float64 {
	if r.count == 0 {
		return 0
	}
	return max(0, float64(r.time)/float64(r.count)-overhead)
}

func (r runs) total(overhead float64) float64 { return r.each(overhead) * float64(r.count) }

// kernelRun is what the kernel measured during some work.
type kernelRun struct {
	// programs are the collector's BPF programs, by name.
	programs map[string]runs
	// overhead is the time that the kernel reports for an empty program at the same tracepoint, in ns: the cost of measuring.
	overhead float64
	// used is the collector's CPU time during the work.
	used collector.CPU
	// page is the collector's metrics after the work.
	page collector.Page
}

// total is the time of all runs of programs, in nanoseconds.
func (k *kernelRun) total(names ...string) (ns float64) {
	for name, r := range k.programs {
		if len(names) == 0 || slices.Contains(names, name) {
			ns += r.total(k.overhead)
		}
	}
	return ns
}

func (k *kernelRun) String() string {
	var text []string
	for _, name := range slices.Sorted(maps.Keys(k.programs)) {
		if r := k.programs[name]; r.count > 0 {
			text = append(text, fmt.Sprintf("%s %d × %.0f ns", name, r.count, r.each(k.overhead)))
		}
	}
	return fmt.Sprintf("%s; empty program %.0f ns", strings.Join(text, ", "), k.overhead)
}

// Names of BPF programs. The kernel cuts them at 15 characters.
const (
	connectionProgram = "connection_set_"
	ownerProgram      = "socket_set_stat"
	sendProgram       = "connection_send"
	dropProgram       = "packet_drop"
)

// kernel measures the kernel time of the programs with the kernel's own statistics.
func (b *bench) kernel() error {
	statistics, err := ebpf.EnableStats(unix.BPF_STATS_RUN_TIME)
	if err != nil {
		return fmt.Errorf("enable the kernel's run-time statistics of BPF programs: %w", err)
	}
	return errors.Join(b.kernelConnections(), b.kernelDrops(), statistics.Close())
}

func (b *bench) kernelConnections() error {
	n := b.rateConnections
	work := func() error { _, err := b.flatOut(n).Run(b.container); return err }
	emitted, err := b.kernelRun(asConfigured, "inet_sock_set_state", work)
	if err != nil {
		return err
	}
	counted, err := b.kernelRun(withoutEvents, "inet_sock_set_state", work)
	if err != nil {
		return err
	}
	leftOut, err := b.kernelRun(leavingOut, "inet_sock_set_state", work)
	if err != nil {
		return err
	}
	events := float64(eventsPerConnection * n)
	perEvent := emitted.total() / events
	b.table.judge(perEvent <= 300, "kernel time per emitted event: connection, all runs of all programs", "≤ 300 ns", "%.0f ns", perEvent)
	b.table.note("  of which", "%s", emitted)
	b.judgeCounted(counted, "counted only")
	b.judgeCounted(leftOut, "excluded")
	return nil
}

// judgeCounted adds the cost of a socket state change that is counted or ignored, without an event.
func (b *bench) judgeCounted(k *kernelRun, how string) {
	changes := float64(k.programs[connectionProgram].count)
	if changes == 0 {
		b.table.judge(false, "kernel time per state change, "+how, "≤ 60 ns", "no runs")
		return
	}
	per := k.total() / changes
	b.table.judge(per <= 60, "kernel time per state change, "+how+", all programs", "≤ 60 ns", "%.0f ns", per)
	b.table.note("  of which", "%s", k)
}

func (b *bench) kernelDrops() error {
	counted, err := b.kernelRun(asConfigured, "kfree_skb", func() error {
		_, err := b.dropsOf(b.dropCount / 10).Run(b.container)
		return err
	})
	if err != nil {
		return err
	}
	b.table.judge(counted.programs[dropProgram].each(counted.overhead) <= 60, "kernel time per drop beyond the limit, counted only", "≤ 60 ns",
		"%.0f ns", counted.programs[dropProgram].each(counted.overhead))
	b.table.note("  of which", "%s", counted)
	emitted, err := b.kernelRun(withoutLimit, "kfree_skb", func() error {
		_, err := b.dropsOf(b.dropCount / 10).Run(b.container)
		return err
	})
	if err != nil {
		return err
	}
	labels := collector.Labels{"ebpf_program_name": "packet_drop"}
	b.table.judge(emitted.programs[dropProgram].each(emitted.overhead) <= 300, "kernel time per emitted event: packet_drop", "≤ 300 ns", "%.0f ns",
		emitted.programs[dropProgram].each(emitted.overhead))
	b.table.note("  of which", "%s; %.0f events delivered, %.0f lost", emitted,
		emitted.page.Sum("ebpf_event_delivered_total", labels), emitted.page.Sum("ebpf_event_lost_total", labels))
	return nil
}

// kernelRun does the work under a collector with these settings, and attaches an empty program to a tracepoint for
// comparison.
func (b *bench) kernelRun(these settings, tracepoint string, work func() error) (k *kernelRun, err error) {
	err = b.with(these, func(s *subject) error {
		empty, err := attachEmpty(tracepoint)
		if err != nil {
			return err
		}
		defer func() { _ = empty.close() }()
		held, err := s.Held()
		if err != nil {
			return err
		}
		before, err := statisticsOf(held.Programs)
		if err != nil {
			return err
		}
		used, err := s.CPU()
		if err != nil {
			return err
		}
		if err := work(); err != nil {
			return err
		}
		time.Sleep(settle)
		usedThen, err := s.CPU()
		if err != nil {
			return err
		}
		k = &kernelRun{programs: map[string]runs{}, used: usedThen.Sub(used)}
		// By then, programs that work once per interval have run.
		if k.page, err = s.fresh(time.Now()); err != nil {
			return err
		}
		after, err := statisticsOf(held.Programs)
		if err != nil {
			return err
		}
		for name := range after {
			k.programs[name] = after[name].sub(before[name])
		}
		nothing, err := empty.statistics()
		if err != nil {
			return err
		}
		k.overhead = nothing.each(0)
		return nil
	})
	return k, err
}

// statisticsOf returns the statistics of BPF programs by name. Programs of the same name are added up.
func statisticsOf(ids []uint32) (map[string]runs, error) {
	all := map[string]runs{}
	for _, id := range ids {
		p, err := ebpf.NewProgramFromID(ebpf.ProgramID(id))
		if err != nil {
			return nil, fmt.Errorf("program %d: %w", id, err)
		}
		name, r, err := read(p)
		if err := errors.Join(err, p.Close()); err != nil {
			return nil, err
		}
		sum := all[name]
		all[name] = runs{sum.count + r.count, sum.time + r.time}
	}
	return all, nil
}

func read(p *ebpf.Program) (name string, r runs, err error) {
	info, err := p.Info()
	if err != nil {
		return "", r, fmt.Errorf("program info: %w", err)
	}
	stats, err := p.Stats()
	if err != nil {
		return "", r, fmt.Errorf("program statistics: %w", err)
	}
	return info.Name[:min(15, len(info.Name))], runs{stats.RunCount, stats.Runtime}, nil
}

// emptyProgram is a program that does nothing.
type emptyProgram struct {
	program *ebpf.Program
	link    link.Link
}

func attachEmpty(tracepoint string) (*emptyProgram, error) {
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "empty", Type: ebpf.Tracing, AttachType: ebpf.AttachTraceRawTp, AttachTo: tracepoint, License: "Dual BSD/GPL",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
	})
	if err != nil {
		return nil, fmt.Errorf("load an empty program: %w", err)
	}
	l, err := link.AttachTracing(link.TracingOptions{Program: p})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("attach an empty program: %w", err), p.Close())
	}
	return &emptyProgram{p, l}, nil
}

func (e *emptyProgram) statistics() (runs, error) {
	_, r, err := read(e.program)
	return r, err
}

func (e *emptyProgram) close() error { return errors.Join(e.link.Close(), e.program.Close()) }
