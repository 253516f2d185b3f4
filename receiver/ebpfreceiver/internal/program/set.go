// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program

import (
	"errors"
	"fmt"
	"slices"

	"github.com/cilium/ebpf"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
)

// State is a state that a program has come to: ebpf.program.state.
type State struct {
	Program string
	// Name is one of the state constants.
	Name string
	// Hook is what was attached, or failed to be.
	Hook string
	// Err is why it failed.
	Err error
}

// The values of State.Name.
const (
	StateLoading  = "loading"
	StateAttached = "attached"
	StateFailed   = "failed"
	StateDetached = "detached"
)

// Settings are what a Set is made from.
type Settings struct {
	Host *Host
	// RingSize is the size of the ring buffer in bytes, a power of two.
	RingSize uint32
	Exclude  Exclude
	// KeepGoing is whether a program that can't run leaves the others be.
	KeepGoing bool
	// Emit is whether anybody wants events.
	Emit bool
	// Report is told of each state that a program comes to, from any goroutine.
	Report func(State)
}

// Selected is a program that the configuration asks for.
type Selected struct {
	Definition *Definition
	Config     Config
}

// Set is the programs of one receiver in the kernel.
type Set struct {
	settings Settings
	shared   *shared
	loaded   []*loaded
	byNumber [common.MaxPrograms]*loaded // by the program in a record; none is 0
	added    uint32                      // the number that was given out last
	counts   counts
}

// sinceSocketNumbers is a function that came to the kernel in 5.12, with the right of tracing programs to number sockets.
const sinceSocketNumbers = "check_mtu"

// Open loads and attaches programs, and behind them what those that run need. On an error nothing is left in the kernel.
func Open(selected []Selected, settings Settings) (_ *Set, err error) {
	s := &Set{settings: settings}
	settings.Host.KeepGoing, settings.Host.Report = settings.KeepGoing, settings.Report
	if err = settings.Host.Kernel.Check(requirements(nil, nil)); err != nil {
		return nil, err
	}
	if err = settings.Host.Kernel.LiftMemlock(); err != nil {
		return nil, err
	}
	if s.shared, err = newShared(settings.RingSize, settings.Exclude, settings.Emit && emitsAny(selected), !settings.Host.BTF.HasHelper(sinceSocketNumbers)); err != nil {
		return nil, err
	}
	var (
		errs    []error
		running []Selected
	)
	for _, one := range selected {
		if err := s.add(one); err != nil {
			errs = append(errs, err)
			continue
		}
		running = append(running, one)
	}
	for _, need := range needsOf(running) {
		errs = append(errs, s.add(need))
	}
	if err := errors.Join(errs...); err != nil && !settings.KeepGoing {
		s.Detach()
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// emitsAny returns whether any of the programs emits events.
func emitsAny(selected []Selected) bool {
	return slices.ContainsFunc(selected, func(one Selected) bool { return one.Config.Common().Events })
}

// needsOf returns what programs need, once each, but for those that are among the programs themselves.
func needsOf(running []Selected) (needs []Selected) {
	for _, one := range running {
		for _, need := range one.Definition.Needs {
			same := func(s Selected) bool { return s.Definition == need }
			if !slices.ContainsFunc(running, same) && !slices.ContainsFunc(needs, same) {
				needs = append(needs, Selected{Definition: need, Config: need.DefaultConfig()})
			}
		}
	}
	return needs
}

func (s *Set) add(one Selected) error {
	name := one.Definition.Name
	s.settings.Report(State{Program: name, Name: StateLoading})
	s.added++
	l, err := load(one, s.added, s.shared, &s.settings)
	if err != nil {
		err = fmt.Errorf("program %s: %w", name, err)
		s.settings.Report(State{Program: name, Name: StateFailed, Err: err})
		return err
	}
	s.loaded = append(s.loaded, l)
	s.byNumber[s.added] = l
	for _, h := range l.hooks {
		s.settings.Host.SocketsTracked = s.settings.Host.SocketsTracked || h.tracksSockets
		if h.name == "" {
			continue
		}
		s.settings.Report(State{Program: name, Name: StateAttached, Hook: h.name})
	}
	return nil
}

// Records returns the ring buffer.
func (s *Set) Records() *ebpf.Map { return s.shared.maps[common.MapRecords] }

// Attached returns the number of programs that are attached.
func (s *Set) Attached() int {
	n := 0
	for _, l := range s.loaded {
		if len(l.hooks) > 0 {
			n++
		}
	}
	return n
}

// Name returns the name of the program with a number, "" if there is none.
func (s *Set) Name(id int) string {
	if id < len(s.byNumber) && s.byNumber[id] != nil {
		return s.byNumber[id].definition.Name
	}
	return ""
}

// AppendLog adds the log record of a record of the ring buffer.
func (s *Set) AppendLog(b *batch.Batch, raw []byte) error {
	record, ok := common.View[common.Record](raw)
	if !ok {
		return fmt.Errorf("record of %d bytes is shorter than a header", len(raw))
	}
	if int(record.Program) >= len(s.byNumber) || s.byNumber[record.Program] == nil {
		return fmt.Errorf("record of unknown program %d", record.Program)
	}
	return s.byNumber[record.Program].program.AppendLog(b, raw)
}

// Scrape adds the metrics of all programs that are attached.
func (s *Set) Scrape(m *Metrics) error {
	var errs []error
	for _, l := range s.loaded {
		if err := l.program.Scrape(m); err != nil {
			errs = append(errs, fmt.Errorf("program %s: %w", l.definition.Name, err))
		}
	}
	return errors.Join(append(errs, s.scrapeCounts(m), s.scrapeRuns(m))...)
}

// Detach ends the programs' runs, the last one first; their maps and the ring buffer can still be read.
func (s *Set) Detach() {
	for _, l := range slices.Backward(s.loaded) {
		if len(l.hooks) == 0 {
			continue
		}
		state := State{Program: l.definition.Name, Name: StateDetached}
		if state.Err = l.detach(); state.Err != nil {
			state.Name = StateFailed
		}
		s.settings.Report(state)
	}
}

// Close frees all that the set holds in the kernel, after Detach.
func (s *Set) Close() error {
	var errs []error
	for _, l := range slices.Backward(s.loaded) {
		errs = append(errs, l.close())
	}
	return errors.Join(append(errs, s.shared.close())...)
}
