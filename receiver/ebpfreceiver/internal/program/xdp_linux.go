// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
)

const (
	// settling is how long an interface is given to get its name and its settings.
	settling = 100 * time.Millisecond
	// looking is how often is looked at what nobody tells of: that the function was detached from an interface, or that one
	// is free that it could not be attached to.
	looking = 5 * time.Second
)

// XDP is a hook at network interfaces, in their drivers where those have it, and behind them elsewhere. It reports itself
// where it is attached, as "xdp/eth0 native" or "xdp/eth0 generic".
func XDP(program, function string, host *Host, interfaces Interfaces) Hook {
	return Hook{Variants: []Variant{{Function: function, Hook: "xdp", Attach: func(p *ebpf.Program) (io.Closer, error) {
		return openXDP(p, program, host, interfaces)
	}, Needs: kernel.Requirements{Capabilities: []kernel.Capability{kernel.CapNetAdmin}}}}}
}

// xdp is a function that is attached to network interfaces.
type xdp struct {
	function   *ebpf.Program
	id         ebpf.ProgramID // the function's
	program    string
	host       *Host
	interfaces Interfaces

	changes *kernel.InterfaceChanges
	places  map[int]place
	// failures are the errors that were reported of interfaces, by their names.
	failures map[string]string
	truces   truces

	closing, done chan struct{}
}

// place is one interface that the function is attached to.
type place struct {
	name, hook string
	link       link.Link
}

// openXDP attaches to the interfaces that are there. Where that fails for one of them it fails as a whole, unless the
// receiver goes on with what can run.
func openXDP(function *ebpf.Program, program string, host *Host, interfaces Interfaces) (_ io.Closer, err error) {
	x := &xdp{
		function:   function,
		program:    program,
		host:       host,
		interfaces: interfaces,
		places:     map[int]place{},
		failures:   map[string]string{},
		truces:     truces{},
		closing:    make(chan struct{}),
		done:       make(chan struct{}),
	}
	info, err := function.Info()
	if err != nil {
		return nil, fmt.Errorf("ask for the program's id: %w", err)
	}
	x.id, _ = info.ID()
	// Before they are listed, so that none comes in between.
	if x.changes, err = kernel.WatchInterfaces(); err != nil {
		return nil, err
	}
	states, err := x.update()
	if err == nil && !host.KeepGoing {
		for _, s := range states {
			err = errors.Join(err, s.Err)
		}
	}
	if err != nil {
		x.changes.Close()
		return nil, errors.Join(err, x.detach())
	}
	x.report(states)
	go x.run()
	return x, nil
}

// run follows the interfaces that come and go.
func (x *xdp) run() {
	defer close(x.done)
	for {
		select {
		case <-x.closing:
			return
		case <-time.After(looking):
			if len(x.failures) == 0 && len(x.lost()) == 0 {
				continue
			}
		case <-x.changes.C:
			select {
			case <-x.closing:
				return
			case <-time.After(settling):
			}
		}
		states, err := x.update()
		if err != nil {
			states = append(states, State{Program: x.program, Name: StateFailed, Hook: "xdp", Err: err})
		}
		x.report(states)
	}
}

// Close detaches from all interfaces.
func (x *xdp) Close() error {
	close(x.closing)
	<-x.done
	x.changes.Close()
	return x.detach()
}

func (x *xdp) detach() error {
	var errs []error
	for index, p := range x.places {
		errs = append(errs, p.link.Close())
		x.interfaces.Removed(uint32(index))
	}
	clear(x.places)
	return errors.Join(errs...)
}

func (x *xdp) report(states []State) {
	for _, s := range states {
		x.host.Report(s)
	}
}

// update attaches to what has come, and lets go of what has gone or changed its name. It returns what is new.
func (x *xdp) update() (states []State, err error) {
	// Before they are listed, so that what is lost with its interface is not taken for detached.
	lost := x.lost()
	present, err := kernel.Interfaces()
	if err != nil {
		return nil, err
	}
	now := time.Now()
	x.truces.forget(present)
	for index, p := range x.places {
		there := present[index].Name == p.name
		if there && !lost[index] {
			continue
		}
		if there {
			x.truces.begin(index, now)
		}
		states = append(states, x.leave(index, p))
	}
	failures := map[string]string{}
	fail := func(name string, err error) {
		failures[name] = err.Error()
		if x.failures[name] != failures[name] {
			states = append(states, State{Program: x.program, Name: StateFailed, Hook: "xdp/" + name, Err: err})
		}
	}
	byIndex := func(a, b kernel.Interface) int { return cmp.Compare(a.Index, b.Index) }
	names := map[string]bool{}
	for _, i := range slices.SortedFunc(maps.Values(present), byIndex) {
		names[i.Name] = true
		if _, there := x.places[i.Index]; there || !x.wants(i) {
			continue
		}
		switch p, err := x.attach(i, now); {
		case errors.Is(err, unix.ENODEV): // it has gone meanwhile
		case err != nil:
			fail(i.Name, fmt.Errorf("interface %s: %w", i.Name, err))
		default:
			x.places[i.Index] = p
			states = append(states, State{Program: x.program, Name: StateAttached, Hook: p.hook})
		}
	}
	for _, name := range x.interfaces.Named {
		if !names[name] {
			fail(name, fmt.Errorf("interface %s: there is no such network interface here; `ip link` lists those of the collector's network namespace, and a pattern waits for one that comes later, as %s does",
				name, "["+name[:1]+"]"+name[1:]))
		}
	}
	x.failures = failures
	return states, nil
}

// lost returns the interfaces that have the function no more. Whoever may can detach somebody else's link, or give it another
// program, and the kernel tells nobody.
func (x *xdp) lost() map[int]bool {
	lost := map[int]bool{}
	for index, p := range x.places {
		info, err := p.link.Info()
		if err == nil && (info.Program != x.id || info.XDP().Ifindex != uint32(index)) {
			lost[index] = true
		}
	}
	return lost
}

// wants is whether an interface is asked for: by name, or by a pattern that it has the right kind for.
func (x *xdp) wants(i kernel.Interface) bool {
	return x.interfaces.Chosen(i.Name) && (i.Ethernet || slices.Contains(x.interfaces.Named, i.Name))
}

func (x *xdp) leave(index int, p place) State {
	delete(x.places, index)
	// What holds an interface that is gone holds nothing, and may say so.
	_ = p.link.Close()
	x.interfaces.Removed(uint32(index))
	return State{Program: x.program, Name: StateDetached, Hook: p.hook}
}

var errNotEthernet = errors.New("its packets have no Ethernet header, which the program begins to read at; leave it out")

func (x *xdp) attach(i kernel.Interface, now time.Time) (p place, err error) {
	if !i.Ethernet {
		return place{}, errNotEthernet
	}
	if err := x.truces.check(i.Index, now); err != nil {
		return place{}, err
	}
	if err := x.interfaces.Added(uint32(i.Index), i.Name); err != nil {
		return place{}, err
	}
	defer func() {
		if err != nil {
			x.interfaces.Removed(uint32(i.Index))
		}
	}()
	modes := []mode{{"native", link.XDPDriverMode}, {"generic", link.XDPGenericMode}}
	if i.Master {
		modes = modes[1:]
	}
	var errs []error
	for _, m := range modes {
		l, err := link.AttachXDP(link.XDPOptions{Program: x.function, Interface: i.Index, Flags: m.flag})
		if err == nil {
			return place{i.Name, "xdp/" + i.Name + " " + m.name, l}, nil
		}
		// Busy by one of the same mode, or there by one of the other.
		if errors.Is(err, unix.EBUSY) || errors.Is(err, unix.EEXIST) {
			return place{}, occupied(i, err)
		}
		errs = append(errs, fmt.Errorf("%s: %w", m.name, err))
	}
	return place{}, errors.Join(errs...)
}

// mode is a way to run XDP programs.
type mode struct {
	name string
	flag link.XDPAttachFlags
}

// occupied says that an interface takes no second program.
func occupied(i kernel.Interface, err error) error {
	other, mode := "", "xdp"
	if i.XDPProgram != 0 {
		other = fmt.Sprintf(" (id %d in `bpftool prog`)", i.XDPProgram)
	}
	if i.XDPGeneric {
		mode = "xdpgeneric"
	}
	return fmt.Errorf("another XDP program%s is attached to it, and the kernel lets it have only one: stop what has attached that, or `ip link set dev %s %s off` (`bpftool link detach` where `bpftool link` has it), or leave the interface out: %w", other, i.Name, mode, err)
}
