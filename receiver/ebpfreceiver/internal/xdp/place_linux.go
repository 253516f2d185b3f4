// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package xdp

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/cilium/ebpf/link"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
)

// place is one interface that the function is attached to.
type place struct {
	name, hook string
	link       link.Link
}

// mode is a way in which the kernel runs XDP programs.
type mode struct {
	name string
	flag link.XDPAttachFlags
}

var errNotEthernet = errors.New("its packets have no Ethernet header, which the program begins to read at; leave it out")

// attach attaches to one interface.
func (f *follower) attach(i kernel.Interface, now time.Time) (p place, err error) {
	if !i.Ethernet {
		return place{}, errNotEthernet
	}
	if err := f.backoff.check(i.Index, now); err != nil {
		return place{}, err
	}
	if err := f.interfaces.Added(uint32(i.Index), i.Name); err != nil {
		return place{}, err
	}
	defer func() {
		if err != nil {
			f.interfaces.Removed(uint32(i.Index))
		}
	}()
	modes := []mode{{"native", link.XDPDriverMode}, {"generic", link.XDPGenericMode}}
	if i.Master {
		modes = modes[1:]
	}
	var errs []error
	for _, m := range modes {
		l, err := link.AttachXDP(link.XDPOptions{Program: f.function, Interface: i.Index, Flags: m.flag})
		if err == nil {
			return place{i.Name, "xdp/" + i.Name + " " + m.name, l}, nil
		}
		// EBUSY: occupied in this mode; EEXIST: occupied in the other one.
		if errors.Is(err, syscall.EBUSY) || errors.Is(err, syscall.EEXIST) {
			return place{}, occupied(i, err)
		}
		errs = append(errs, fmt.Errorf("%s: %w", m.name, err))
	}
	return place{}, errors.Join(errs...)
}

// occupied explains that an interface runs another XDP program already.
func occupied(i kernel.Interface, err error) error {
	other, mode := "", "xdp"
	if i.XDPProgram != 0 {
		other = fmt.Sprintf(" (id %d in `bpftool prog`)", i.XDPProgram)
	}
	if i.XDPGeneric {
		mode = "xdpgeneric"
	}
	return fmt.Errorf("another XDP program%s is attached to it, and the kernel allows only one: stop what attached it, or `ip link set dev %s %s off` (`bpftool link detach` where `bpftool link` has it), or leave the interface out: %w", other, i.Name, mode, err)
}
