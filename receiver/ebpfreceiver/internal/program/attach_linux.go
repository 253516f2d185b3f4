// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program

import (
	"errors"
	"fmt"
	"io"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
)

// Tracepoint is a hook at a BTF raw tracepoint, the cheapest and most stable kind. Every supported kernel has it.
func Tracepoint(function, name string) Hook {
	return Hook{Variants: []Variant{{Function: function, Hook: "tp_btf/" + name, Attach: func(p *ebpf.Program) (io.Closer, error) {
		return link.AttachTracing(link.TracingOptions{Program: p})
	}}}}
}

// ExactTracepoint is a Tracepoint that misses nothing: a fallback does the work of the runs that the kernel skips.
func ExactTracepoint(function, fallback, name string) Hook {
	hook := Tracepoint(function, name)
	hook.Variants[0].Fallback = fallback
	return hook
}

// Cgroup is a hook at the root of the cgroup2 hierarchy, so it sees every process. It runs beside the programs of others.
func Cgroup(function, name, root string, attach ebpf.AttachType) Hook {
	return Hook{Variants: []Variant{{Function: function, Hook: "cgroup/" + name, Attach: func(p *ebpf.Program) (io.Closer, error) {
		return link.AttachCgroup(link.CgroupOptions{Path: root, Attach: attach, Program: p})
	}, Needs: kernel.Requirements{Capabilities: []kernel.Capability{kernel.CapNetAdmin}, Cgroup2: true}}}}
}

// CgroupPackets is a hook at the root of the cgroup2 hierarchy for a direction, "ingress" or "egress". It sees the packets of all
// sockets, with the sockets. It runs beside the programs of others.
func CgroupPackets(function, direction, root string, attach ebpf.AttachType) Hook {
	hook := Cgroup(function, direction, root, attach)
	hook.Variants[0].Hook = "cgroup_skb/" + direction
	return hook
}

// Syscall is a hook at the entry or exit of a system call. It needs tracefs, and slows down all system calls.
func Syscall(function, name string) Hook {
	return Hook{Variants: []Variant{{Function: function, Hook: "tracepoint/syscalls/" + name, Attach: func(p *ebpf.Program) (io.Closer, error) {
		l, err := link.Tracepoint("syscalls", name, p, nil)
		if errors.Is(err, unix.EACCES) {
			err = fmt.Errorf("%w; where the setting kernel.perf_event_paranoid is above 2, older kernels want CAP_SYS_ADMIN: lower it by `sysctl kernel.perf_event_paranoid=2`, or run as root", err)
		}
		return l, err
	}, Needs: kernel.Requirements{Tracefs: true}}}}
}

// Trampoline is a hook at the entry ("fentry/…") or exit ("fexit/…") of a kernel function. If several places are given,
// each with a C function, it uses the first that this kernel has. Some kernels accept no trampolines.
func Trampoline(places ...Place) (hook Hook) {
	for _, place := range places {
		hook.Variants = append(hook.Variants, Variant{Function: place.Function, Hook: place.Hook, Attach: func(p *ebpf.Program) (io.Closer, error) {
			return link.AttachTracing(link.TracingOptions{Program: p})
		}})
	}
	return hook
}

// Iterator runs a function once for every object of a kind.
func Iterator(function, name string) Hook {
	return Hook{Variants: []Variant{{Function: function, Hook: "iter/" + name, Attach: iterate}}}
}

// Reader is a hook that runs a function for every object of a kind each time it is read. The program gets an Iter when it
// is attached: see IterUser.
func Reader(function, name string) Hook {
	return MapReader(function, name, func() *ebpf.Map { return nil })
}

// MapReader is a Reader of the entries of a map, which is asked for when the program is attached.
func MapReader(function, name string, of func() *ebpf.Map) Hook {
	return Hook{Variants: []Variant{{Function: function, Hook: "iter/" + name, Attach: func(p *ebpf.Program) (io.Closer, error) {
		iter, err := link.AttachIter(link.IterOptions{Program: p, Map: of()})
		if err != nil {
			return nil, err
		}
		return &Iter{iter}, nil
	}}}}
}

// Iter is an attached hook of kind Reader.
type Iter struct{ iter *link.Iter }

// Open starts a run of the function. Read its output until io.EOF.
func (i *Iter) Open() (io.ReadCloser, error) { return openIter(i.iter) }

// Close detaches the function.
func (i *Iter) Close() error { return i.iter.Close() }

func iterate(p *ebpf.Program) (_ io.Closer, err error) {
	iter, err := link.AttachIter(link.IterOptions{Program: p})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, iter.Close()) }()
	r, err := openIter(iter)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	_, err = io.Copy(io.Discard, r)
	return nil, err
}

func openIter(iter *link.Iter) (io.ReadCloser, error) {
	r, err := iter.Open()
	if err != nil {
		return nil, fmt.Errorf("open iterator: %w", err)
	}
	return patientReader{r}, nil
}

// patientReader repeats a read that the kernel ended with EAGAIN, which it does after a million objects without output.
type patientReader struct{ io.ReadCloser }

func (r patientReader) Read(b []byte) (int, error) {
	for {
		if n, err := r.ReadCloser.Read(b); !errors.Is(err, unix.EAGAIN) {
			return n, err
		}
	}
}
