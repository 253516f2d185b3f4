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
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

// measured is a program with the work that it watches.
type measured struct {
	name string
	// counted and emitted are its settings: those that users begin with or that only count, and those in which each hit is
	// an event. Without the latter there is no row for events.
	counted, emitted string
	// tracepoint is one that it attaches to, and hits the functions in the kernel whose every run is a hit.
	tracepoint string
	hits       []string
	// goal is that for a hit that is counted, in ns; 0: none is set.
	goal float64
	// prepare makes what the work needs until it is closed; nil: nothing.
	prepare func() (io.Closer, error)
	work    func(*bench) (traffic.LoopDone, error)
}

// loop is work in the container of the measurement.
func loop(of string, count int) func(*bench) (traffic.LoopDone, error) {
	return func(b *bench) (traffic.LoopDone, error) { return traffic.Loop{Of: of, Count: count}.Run(b.container) }
}

// connectionLoop is connections flat out, as many as rate measures.
func connectionLoop(b *bench) (traffic.LoopDone, error) {
	done, err := b.flatOut(b.rateConnections).Run(b.container)
	return traffic.LoopDone{Count: done.Opened, Elapsed: done.Elapsed}, err
}

// kills are processes that are killed for lack of memory.
func kills(*bench) (done traffic.LoopDone, err error) {
	limit, err := testhost.MakeMemoryLimit("otelcol-ebpf-bench", 16<<20)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, limit.Close()) }()
	begin := time.Now()
	for ; done.Count < 20; done.Count++ {
		if err := traffic.Exceed(limit); err != nil {
			return done, err
		}
	}
	done.Elapsed = time.Since(begin)
	return done, nil
}

// wire is what frames sends on.
var wire *testnet.Wire

func makeWire() (_ io.Closer, err error) {
	wire, err = testnet.MakeWire("bench0")
	return wire, err
}

// frames are received by an interface, one after the other. Nobody takes them then.
func frames(*bench) (done traffic.LoopDone, err error) {
	frame := make([]byte, 60)
	copy(frame[12:], []byte{8, 0, 4<<4 | 5, 0, 0, 46, 0, 0, 0, 0, 64, 6, 0, 0, 198, 18, 0, 1, 198, 18, 0, 2, 0, 80, 1, 187})
	const acknowledged = 16
	frame[14+20+13] = acknowledged
	begin := time.Now()
	for ; done.Count < 500_000; done.Count++ {
		if err := wire.Put(frame); err != nil {
			return done, err
		}
	}
	done.Elapsed = time.Since(begin)
	return done, nil
}

// diskReads are reads of a disk whose content is in memory, one after the other.
func diskReads(*bench) (done traffic.LoopDone, err error) {
	const size, count = 4096, 20_000
	disk, err := testhost.MakeDisk(1 << 20)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, disk.Close()) }()
	begin := time.Now()
	for ; done.Count < count; done.Count++ {
		if err := traffic.DiskRead.Do(disk.Path, 0, size); err != nil {
			return done, err
		}
	}
	done.Elapsed = time.Since(begin)
	return done, nil
}

var measuredPrograms = []measured{
	{
		name: "disk_io", counted: "{events: false}", emitted: "{threshold: 1us, event_limit: 1000000000}",
		tracepoint: "block_rq_complete", hits: []string{"disk_complete"}, work: diskReads,
	},
	{
		// Each descriptor of the host is a hit, once an interval; the work is for what opens and closes some.
		name: "file_descriptor", counted: "{}",
		tracepoint: "sched_switch", hits: []string{"descriptor_scan"}, work: loop(traffic.LoopDescriptors, 10_000_000),
	},
	{
		name: "packet", counted: "{interfaces: [bench0], events: false}",
		emitted:    "{interfaces: [bench0], sample_every: 1, event_limit: 1000000000}",
		tracepoint: "netif_receive_skb", hits: []string{"packet", "packet_in_pieces"}, goal: 60, prepare: makeWire, work: frames,
	},
	{
		name: "oom", counted: "{events: false}", emitted: "{}",
		tracepoint: "mark_victim", hits: []string{"oom_kill"}, work: kills,
	},
	{
		name: "process", counted: "{events: false}", emitted: "{event_limit: 1000000000}",
		tracepoint: "sched_process_exec", hits: []string{"process_exec", "process_exit"}, work: loop(traffic.LoopProcesses, 2000),
	},
	{
		name: "syscall", counted: "{events: false}",
		tracepoint: "sys_exit", hits: []string{"syscall_exit"}, goal: 150, work: loop(traffic.LoopCalls, 2_000_000),
	},
	{
		name: "file", counted: "{events: false}", emitted: "{event_limit: 1000000000}",
		tracepoint: "sys_exit", hits: []string{"file_after_unlink", "file_exit_unlink"}, work: loop(traffic.LoopDeletions, 50_000),
	},
	{
		name: "tcp", counted: "{events: false}",
		tracepoint: "inet_sock_set_state", hits: []string{"tcp_segment", "tcp_closed"}, work: connectionLoop,
	},
	{
		name: "runqueue", counted: "{events: false}", emitted: "{threshold: 1us, event_limit: 1000000000}",
		tracepoint: "sched_switch", hits: []string{"runqueue_switch"}, goal: 100, work: loop(traffic.LoopSwitches, 100_000),
	},
}

// programs measures each program alone: in the kernel, in the collector, and what it slows down.
func (b *bench) programs() error {
	chosen, err := regexp.Compile(b.options.programs)
	if err != nil {
		return fmt.Errorf("the value of -programs: %w", err)
	}
	for _, p := range measuredPrograms {
		if !chosen.MatchString(p.name) {
			continue
		}
		if err := b.program(p); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

func (b *bench) program(p measured) (err error) {
	if p.prepare != nil {
		var made io.Closer
		if made, err = p.prepare(); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, made.Close()) }()
	}
	statistics, err := ebpf.EnableStats(unix.BPF_STATS_RUN_TIME)
	if err != nil {
		return fmt.Errorf("enable the kernel's statistics of eBPF programs: %w", err)
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

func (b *bench) programInKernel(p measured) error {
	work := func() error { _, err := p.work(b); return err }
	counted, err := b.kernelRun(alone(p.name, p.counted), p.tracepoint, work)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("%s: kernel time per hit, counted only", p.name)
	if each := counted.perHit(p.hits); p.goal > 0 {
		b.table.judge(each <= p.goal, what, fmt.Sprintf("≤ %.0f ns", p.goal), "%.0f ns", each)
	} else {
		b.table.note(what, "%.0f ns", each)
	}
	b.table.note("  of which", "%s", counted)
	if p.emitted == "" {
		return nil
	}
	emitted, err := b.kernelRun(alone(p.name, p.emitted), p.tracepoint, work)
	if err != nil {
		return err
	}
	labels := collector.Labels{"ebpf_program_name": p.name}
	events := emitted.page.Sum("ebpf_event_delivered_total", labels)
	b.table.note(p.name+": kernel time per hit, emitted", "%.0f ns", emitted.perHit(p.hits))
	b.table.note("  of which", "%s; %.0f events delivered, %.0f lost", emitted, events, emitted.page.Sum("ebpf_event_lost_total", labels))
	b.table.note(p.name+": CPU of the collector per event", "%.2f µs", microseconds(emitted.used.Total())/max(1, events))
	return nil
}

// perHit is the time of all programs by the number of hits, in nanoseconds.
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

// slowDown adds how much longer the work takes with the program than without, by the medians of alternating runs.
func (b *bench) slowDown(p measured) error {
	// The first work after a while is another.
	if _, err := p.work(b); err != nil {
		return err
	}
	var each [2][]time.Duration // without, with
	for run := range 2 * b.runs {
		with := (run + run/2) % 2 // by turns first
		work := func(*subject) error {
			done, err := p.work(b)
			each[with] = append(each[with], done.Each())
			return err
		}
		var err error
		if with == 1 {
			err = b.with(alone(p.name, p.counted), work)
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
	b.table.note(p.name+": its work is slower by", "%.1f %%: a round takes %s with it, %s without", 100*(float64(on)/float64(off)-1), on, off)
	return nil
}
