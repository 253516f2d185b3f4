// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cilium/ebpf"
	"go.uber.org/zap"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics"
)

// State is a state of a program: see ebpf.program.state.
type State struct {
	Program string
	// Name is one of the state constants.
	Name string
	// Hook is the hook that was attached or detached, or that failed; "" if the state concerns the whole program.
	Hook string
	// Err is the cause of a failure.
	Err error
	// Reason is why the receiver changed the state by itself; "" if it was asked to.
	Reason string
}

// The values of State.Name.
const (
	StateLoading  = "loading"
	StateAttached = "attached"
	StateFailed   = "failed"
	StateDetached = "detached"
	// StateEventsOff and StateSampled are those of programs that are attached, and do less than they could: see Level.
	StateEventsOff = "events_off"
	StateSampled   = "sampled"
)

// Options are the arguments of Open.
type Options struct {
	Settings
	Kernel *Kernel
	// RingSize is the size of the ring buffer in bytes, a power of two.
	RingSize uint32
	Filters  Filters
	// Emit queues the log record of an event found in user space, and reports whether there was room. nil if nobody
	// consumes events.
	Emit func(appendLog func(b *batch.Batch)) (queued bool)
	// Report receives each state of a program. It is called from any goroutine.
	Report func(State)
	// Steppable reports that the programs are measured, and their levels may be changed. LoadBTF reads the kernel's types again for
	// one that comes back. Publish publishes the present metrics.
	Steppable bool
	LoadBTF   func() (*kernel.BTF, error)
	Publish   func()
}

// Selected is a program that the configuration asks for.
type Selected struct {
	Definition *Definition
	Config     Config
}

// Set is the set of programs that one receiver has in the kernel.
type Set struct {
	options  Options
	shared   *shared
	byNumber [common.MaxPrograms]atomic.Pointer[loaded] // by the program number in a record; 0 is no program
	numbered []*Definition                              // by number, from 1
	counts   counts
	holds    [common.MaxPrograms]hold
	// timing measures the programs; nil if nobody wants to know.
	timing *timing

	// scraping keeps the programs open that are read. It is locked before mu.
	scraping sync.Mutex
	mu       sync.Mutex // guards the fields below
	loaded   []*loaded  // replaced, never changed
	// retired are programs that others have replaced, and that records in the ring may still be of.
	retired []*loaded
}

// Open loads and attaches programs, and before or after them the programs that they depend on. After an error, nothing stays in
// the kernel.
func Open(selected []Selected, options Options) (_ *Set, err error) {
	s := &Set{options: options}
	if err = options.Kernel.Check(requirements(nil, nil)); err != nil {
		return nil, err
	}
	if err = options.Kernel.LiftMemlock(); err != nil {
		return nil, err
	}
	emit, byAddress := options.Emit != nil && emitsAny(selected), !options.Kernel.StoresInSockets()
	if s.shared, err = newShared(options.RingSize, options.Filters, emit, byAddress); err != nil {
		return nil, err
	}
	s.shared.variables[common.VarCanCast] = options.Kernel.BTF.CanCast()
	if options.Steppable {
		if s.timing, err = newTiming(); err != nil {
			return nil, errors.Join(err, s.shared.close())
		}
	}
	s.shared.includeCgroups(options.Kernel.Containers, options.Filters.Include.Cgroup, func(err error) {
		options.Logger.Warn("Cannot include a cgroup; the events of its processes are missing", zap.Error(err))
	})
	if slices.ContainsFunc(selected, func(one Selected) bool { return one.Definition.Listeners }) {
		if err = s.shared.watchListeners(options.Kernel.BTF); err != nil {
			return nil, errors.Join(err, s.timing.close(), s.shared.close())
		}
	}
	var (
		errs    []error
		running []Selected
	)
	for _, need := range needsOf(selected) {
		if need.Definition.First {
			errs = append(errs, s.addNeed(need))
		}
	}
	// Finds the cgroups that were created between the first walk and the hook. Lookup asks the kernel for any that it misses.
	if err := options.Kernel.Containers.Refresh(); err != nil {
		options.Logger.Warn("Cannot read the cgroup hierarchy again; containers that started just now may have no container.id", zap.Error(err))
	}
	for _, one := range selected {
		if err := s.add(one); err != nil {
			errs = append(errs, err)
			continue
		}
		running = append(running, one)
	}
	needed := needsOf(running)
	for _, need := range needed {
		if !need.Definition.First {
			errs = append(errs, s.addNeed(need))
		}
	}
	errs = append(errs, s.dropUnneeded(needed))
	if err := errors.Join(errs...); err != nil && !options.KeepGoing {
		s.Detach()
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// dropUnneeded unloads the programs that were attached first for others, of which none runs.
func (s *Set) dropUnneeded(needed []Selected) error {
	var errs []error
	s.remove(func(l *loaded) bool {
		is := func(need Selected) bool { return need.Definition == l.definition }
		if !l.definition.First || slices.ContainsFunc(needed, is) {
			return false
		}
		s.byNumber[l.number].Store(nil)
		errs = append(errs, l.detach(), l.close())
		s.options.Report(State{Program: l.definition.Name, Name: StateDetached})
		return true
	})
	return errors.Join(errs...)
}

// Empty returns a set without programs. It uses nothing in the kernel.
func Empty() *Set { return &Set{shared: &shared{}} }

// emitsAny reports whether any of the programs emits events.
func emitsAny(selected []Selected) bool {
	return slices.ContainsFunc(selected, func(one Selected) bool { return one.Config.Common().Events })
}

// needsOf returns the programs that others depend on, once each, without those that are selected anyway.
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
	_, err := s.addTo(one, place{s.options.Kernel, s.shared})
	return err
}

// addNeed adds a program that others need.
func (s *Set) addNeed(one Selected) error {
	l, err := s.addTo(one, place{s.options.Kernel, s.shared})
	if err == nil {
		l.need = true
	}
	return err
}

func (s *Set) addTo(one Selected, at place) (*loaded, error) {
	l, err := s.attach(one, s.numberOf(one.Definition), at)
	if err != nil {
		return nil, err
	}
	s.replace(nil, l)
	return l, nil
}

// numberOf returns the number of a program, which it keeps.
func (s *Set) numberOf(d *Definition) uint32 {
	if i := slices.Index(s.numbered, d); i >= 0 {
		return uint32(i + 1)
	}
	s.numbered = append(s.numbered, d)
	return uint32(len(s.numbered))
}

// attach loads and attaches a program, and reports its states.
func (s *Set) attach(one Selected, number uint32, at place) (*loaded, error) {
	name := one.Definition.Name
	s.options.Report(State{Program: name, Name: StateLoading})
	l, err := s.load(one, number, at)
	if err != nil {
		err = fmt.Errorf("program %s: %w", name, err)
		s.options.Report(State{Program: name, Name: StateFailed, Err: err})
		return nil, err
	}
	for _, h := range l.hooks {
		if !h.follows() {
			s.options.Report(State{Program: name, Name: StateAttached, Hook: h.name})
		}
	}
	return l, nil
}

// all returns the programs, in the order in which they were attached first.
func (s *Set) all() []*loaded {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.loaded
}

// remove takes programs out of the list.
func (s *Set) remove(which func(*loaded) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loaded = slices.DeleteFunc(slices.Clone(s.loaded), which)
}

// replace puts a program into the place of another one, or at the end of the list. Records of both are decoded by the new one.
func (s *Set) replace(old, l *loaded) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loaded = slices.Clone(s.loaded)
	if i := slices.Index(s.loaded, old); i >= 0 {
		s.loaded[i] = l
	} else {
		s.loaded = append(s.loaded, l)
	}
	s.byNumber[l.number].Store(l)
}

// tracksSockets reports whether a hook that tracks the owners of TCP sockets is attached, and writes them to these maps.
func (s *Set) tracksSockets(shared *shared) bool {
	return slices.ContainsFunc(s.all(), func(l *loaded) bool { return l.shared == shared && l.tracksSockets() })
}

// Records returns the ring buffer.
func (s *Set) Records() *ebpf.Map { return s.shared.maps[common.MapRecords] }

// Attached returns the number of attached programs.
func (s *Set) Attached() int {
	n := 0
	for _, l := range s.all() {
		if slices.ContainsFunc(l.attachedHooks(), func(h attached) bool { return h.isAttached() }) {
			n++
		}
	}
	return n
}

// Name returns the name of the program with that number, "" if there is none.
func (s *Set) Name(id int) string {
	if id < len(s.byNumber) {
		if l := s.byNumber[id].Load(); l != nil {
			return l.definition.Name
		}
	}
	return ""
}

// AppendLog appends the log record for a record of the ring buffer.
func (s *Set) AppendLog(b *batch.Batch, raw []byte) error {
	record, ok := common.View[common.Record](raw)
	if !ok {
		return fmt.Errorf("record of %d bytes is shorter than a header", len(raw))
	}
	if int(record.Program) < len(s.byNumber) {
		if l := s.byNumber[record.Program].Load(); l != nil {
			return l.program.AppendLog(b, raw)
		}
	}
	return fmt.Errorf("record of unknown program %d", record.Program)
}

// AppendHeld appends the log records of what programs have held back long enough, or of everything, until the batch is full. It returns
// when to call it next; zero if nothing is held back.
func (s *Set) AppendHeld(b *batch.Batch, all bool) (next time.Time) {
	for _, l := range s.all() {
		holder, ok := l.program.(Holder)
		if !ok {
			continue
		}
		if due := holder.AppendHeld(b, all); !due.IsZero() && (next.IsZero() || due.Before(next)) {
			next = due
		}
	}
	return next
}

// Scrape adds the metrics of all attached programs.
func (s *Set) Scrape(m *metrics.Builder) error {
	s.scraping.Lock()
	defer s.scraping.Unlock()
	var errs []error
	for _, l := range s.all() {
		if l.away.Load() {
			continue
		}
		if err := l.program.Scrape(m); err != nil {
			errs = append(errs, fmt.Errorf("program %s: %w", l.definition.Name, err))
		}
	}
	return errors.Join(append(errs, s.scrapeCounts(m), s.scrapeRuns(m))...)
}

// Detach detaches the programs, the last one first. Their maps and the ring buffer can still be read.
func (s *Set) Detach() {
	for _, l := range slices.Backward(s.all()) {
		if len(l.attachedHooks()) == 0 {
			continue
		}
		state := State{Program: l.definition.Name, Name: StateDetached}
		if state.Err = l.detach(); state.Err != nil {
			state.Name = StateFailed
		}
		s.options.Report(state)
	}
}

// Close releases everything that the set uses in the kernel. Call it after Detach.
func (s *Set) Close() error {
	var errs []error
	for _, l := range slices.Backward(append(s.takeRetired(), s.all()...)) {
		errs = append(errs, s.release(l))
	}
	return errors.Join(append(errs, s.timing.close(), s.shared.close())...)
}
