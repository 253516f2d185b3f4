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

// Tracepoint is a hook at a BTF raw tracepoint: the cheapest and most stable kind, there on every supported kernel.
func Tracepoint(function, name string) Hook {
	return Hook{Variants: []Variant{{Function: function, Hook: "tp_btf/" + name, Attach: func(p *ebpf.Program) (io.Closer, error) {
		return link.AttachTracing(link.TracingOptions{Program: p})
	}}}}
}

// ExactTracepoint is one that misses nothing: it has a fallback for the runs that the kernel skips.
func ExactTracepoint(function, fallback, name string) Hook {
	hook := Tracepoint(function, name)
	hook.Variants[0].Fallback = fallback
	return hook
}

// Cgroup is a hook at the root of the cgroup2 hierarchy, and so for every process. It does not displace others'.
func Cgroup(function, name, root string, attach ebpf.AttachType) Hook {
	return Hook{Variants: []Variant{{Function: function, Hook: "cgroup/" + name, Attach: func(p *ebpf.Program) (io.Closer, error) {
		return link.AttachCgroup(link.CgroupOptions{Path: root, Attach: attach, Program: p})
	}, Needs: kernel.Requirements{Capabilities: []kernel.Capability{kernel.CapNetAdmin}, Cgroup2: true}}}}
}

// Syscall is a hook at the entry to or the exit from a system call. It needs tracefs, and slows all system calls down.
func Syscall(function, name string) Hook {
	return Hook{Variants: []Variant{{Function: function, Hook: "tracepoint/syscalls/" + name, Attach: func(p *ebpf.Program) (io.Closer, error) {
		l, err := link.Tracepoint("syscalls", name, p, nil)
		if errors.Is(err, unix.EACCES) {
			err = fmt.Errorf("%w; where the setting kernel.perf_event_paranoid is above 2, older kernels want CAP_SYS_ADMIN: lower it by `sysctl kernel.perf_event_paranoid=2`, or run as root", err)
		}
		return l, err
	}, Needs: kernel.Requirements{Tracefs: true}}}}
}

// Trampoline is a hook at the entry ("fentry/…") to a function of the kernel, or at the exit from it ("fexit/…"). Of
// several places, each with a C function of its own, it is the first that this kernel has. Not all kernels accept any.
func Trampoline(places ...Place) (hook Hook) {
	for _, place := range places {
		hook.Variants = append(hook.Variants, Variant{Function: place.Function, Hook: place.Hook, Attach: func(p *ebpf.Program) (io.Closer, error) {
			return link.AttachTracing(link.TracingOptions{Program: p})
		}})
	}
	return hook
}

// Iterator runs a function once over all objects of a kind.
func Iterator(function, name string) Hook {
	return Hook{Variants: []Variant{{Function: function, Hook: "iter/" + name, Attach: iterate}}}
}

// Reader is a hook that runs a function over all objects of a kind each time that somebody reads what it writes. taken
// gets what opens it for that.
func Reader(function, name string, taken func(open OpenReader)) Hook {
	return Hook{Variants: []Variant{{Function: function, Hook: "iter/" + name, Attach: func(p *ebpf.Program) (io.Closer, error) {
		iter, err := link.AttachIter(link.IterOptions{Program: p})
		if err != nil {
			return nil, err
		}
		taken(func() (io.ReadCloser, error) { return openReader(iter) })
		return iter, nil
	}}}}
}

// Callable is a function that is hooked nowhere: the program itself runs it, which taken gets for that.
func Callable(function string, taken func(*ebpf.Program)) Hook {
	return Hook{Variants: []Variant{{Function: function, Attach: func(p *ebpf.Program) (io.Closer, error) {
		taken(p)
		return io.NopCloser(nil), nil
	}}}}
}

func iterate(p *ebpf.Program) (_ io.Closer, err error) {
	iter, err := link.AttachIter(link.IterOptions{Program: p})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, iter.Close()) }()
	r, err := openReader(iter)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	_, err = io.Copy(io.Discard, r)
	return nil, err
}

func openReader(iter *link.Iter) (io.ReadCloser, error) {
	r, err := iter.Open()
	if err != nil {
		return nil, fmt.Errorf("open iterator: %w", err)
	}
	return patientReader{r}, nil
}

// patientReader reads on where the kernel wants to be asked once more: after a million objects of which nothing is written.
type patientReader struct{ io.ReadCloser }

func (r patientReader) Read(b []byte) (int, error) {
	for {
		if n, err := r.ReadCloser.Read(b); !errors.Is(err, unix.EAGAIN) {
			return n, err
		}
	}
}
