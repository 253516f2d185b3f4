// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package xdp

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cilium/ebpf"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

const (
	// linkSettle is how long a new interface is given to get its name and its settings.
	linkSettle = 100 * time.Millisecond
	// pollInterval is how often slots are polled: netlink does not report that a program was detached, or that an occupied
	// interface is free again.
	pollInterval = 5 * time.Second
)

// follower keeps a function attached to the selected network interfaces.
type follower struct {
	function   *ebpf.Program
	id         ebpf.ProgramID // the function's
	report     func(program.State)
	interfaces Interfaces

	changes *kernel.InterfaceChanges
	places  map[int]place
	// placed is the number of places, for IsAttached, which any goroutine may ask.
	placed atomic.Int32
	// failures are the errors that were reported, by the names of the interfaces.
	failures map[string]string
	backoff  reattachBackoff

	closing, done chan struct{}
}

// follow attaches to the interfaces that exist and follows them until Close. If one of them fails, all of it fails, unless
// the receiver keeps going with what can run.
func follow(function *ebpf.Program, keepGoing bool, report func(program.State), interfaces Interfaces) (_ *follower, err error) {
	f := &follower{
		function:   function,
		report:     report,
		interfaces: interfaces,
		places:     map[int]place{},
		failures:   map[string]string{},
		backoff:    reattachBackoff{},
		closing:    make(chan struct{}),
		done:       make(chan struct{}),
	}
	info, err := function.Info()
	if err != nil {
		return nil, fmt.Errorf("ask for the program's id: %w", err)
	}
	f.id, _ = info.ID()
	// Watch before listing, so that no interface is missed in between.
	if f.changes, err = kernel.WatchInterfaces(); err != nil {
		return nil, err
	}
	states, err := f.update()
	if err == nil && !keepGoing {
		for _, s := range states {
			err = errors.Join(err, s.Err)
		}
	}
	if err != nil {
		f.changes.Close()
		return nil, errors.Join(err, f.detach())
	}
	f.reportAll(states)
	go f.run()
	return f, nil
}

// run updates the places when interfaces change, and polls for what netlink does not report.
func (f *follower) run() {
	defer close(f.done)
	for {
		select {
		case <-f.closing:
			return
		case <-time.After(pollInterval):
			if len(f.failures) == 0 && len(f.detached()) == 0 {
				continue
			}
		case <-f.changes.C:
			select {
			case <-f.closing:
				return
			case <-time.After(linkSettle):
			}
		}
		states, err := f.update()
		if err != nil {
			states = append(states, program.State{Name: program.StateFailed, Hook: "xdp", Err: err})
		}
		f.reportAll(states)
	}
}

// IsAttached reports whether the function is attached to any interface.
func (f *follower) IsAttached() bool { return f.placed.Load() > 0 }

// Close detaches from all interfaces.
func (f *follower) Close() error {
	close(f.closing)
	<-f.done
	f.changes.Close()
	return f.detach()
}

func (f *follower) detach() error {
	var errs []error
	for index, p := range f.places {
		errs = append(errs, p.link.Close())
		f.interfaces.Removed(uint32(index))
	}
	clear(f.places)
	return errors.Join(errs...)
}

func (f *follower) reportAll(states []program.State) {
	for _, s := range states {
		f.report(s)
	}
}

// update attaches to new interfaces and leaves those that are gone or renamed. It returns the states that are new.
func (f *follower) update() (states []program.State, err error) {
	// Before the listing, so that a place that is lost together with its interface is not taken for detached.
	detached := f.detached()
	present, err := kernel.Interfaces()
	if err != nil {
		return nil, err
	}
	now := time.Now()
	f.backoff.prune(func(index int) bool { return present[index].Name != "" })
	for index, p := range f.places {
		exists := present[index].Name == p.name
		if exists && !detached[index] {
			continue
		}
		if exists {
			f.backoff.start(index, now)
		}
		states = append(states, f.leave(index, p))
	}
	failures := map[string]string{}
	fail := func(name string, err error) {
		failures[name] = err.Error()
		if f.failures[name] != failures[name] {
			states = append(states, program.State{Name: program.StateFailed, Hook: "xdp/" + name, Err: err})
		}
	}
	byIndex := func(a, b kernel.Interface) int { return cmp.Compare(a.Index, b.Index) }
	names := map[string]bool{}
	for _, i := range slices.SortedFunc(maps.Values(present), byIndex) {
		names[i.Name] = true
		if _, attached := f.places[i.Index]; attached || !f.wants(i) {
			continue
		}
		switch p, err := f.attach(i, now); {
		case errors.Is(err, syscall.ENODEV): // it is gone by now
		case err != nil:
			fail(i.Name, fmt.Errorf("interface %s: %w", i.Name, err))
		default:
			f.places[i.Index] = p
			states = append(states, program.State{Name: program.StateAttached, Hook: p.hook})
		}
	}
	for _, name := range f.interfaces.Named {
		if !names[name] {
			fail(name, fmt.Errorf("interface %s: there is no such network interface here; `ip link` lists those of the collector's network namespace. A pattern, such as %s, waits for an interface that appears later",
				name, "["+name[:1]+"]"+name[1:]))
		}
	}
	f.failures = failures
	f.placed.Store(int32(len(f.places)))
	return states, nil
}

// detached returns the interfaces that no longer run the function. A process with the privileges can detach a link or replace
// its program, and the kernel sends no notification.
func (f *follower) detached() map[int]bool {
	detached := map[int]bool{}
	for index, p := range f.places {
		info, err := p.link.Info()
		if err == nil && (info.Program != f.id || info.XDP().Ifindex != uint32(index)) {
			detached[index] = true
		}
	}
	return detached
}

// wants reports whether an interface is selected: by name, or by a pattern if its packets have an Ethernet header.
func (f *follower) wants(i kernel.Interface) bool {
	return f.interfaces.Chosen(i.Name) && (i.Ethernet || slices.Contains(f.interfaces.Named, i.Name))
}

func (f *follower) leave(index int, p place) program.State {
	delete(f.places, index)
	// The link of an interface that is gone may return an error, which does not matter.
	_ = p.link.Close()
	f.interfaces.Removed(uint32(index))
	return program.State{Name: program.StateDetached, Hook: p.hook}
}
