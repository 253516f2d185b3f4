// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
)

// Hook is one place in the kernel that a program wants to be called from.
type Hook struct {
	// Variants are the ways to get there, the best first; the first that this kernel accepts is taken.
	Variants []Variant
}

// Variant is one way to hook a program into the kernel.
type Variant struct {
	// Function is the name of the C function.
	Function string
	// Hook names the place for users, such as "tp_btf/kfree_skb".
	Hook string
	// Attach attaches the loaded function. The link is nil for what runs once.
	Attach func(*ebpf.Program) (link.Link, error)
	// Needs is what must be there beyond what every program needs.
	Needs kernel.Requirements
}

// Tracepoint is a hook at a BTF raw tracepoint: the cheapest and most stable kind, there on every supported kernel.
func Tracepoint(function, name string) Hook {
	return Hook{Variants: []Variant{{Function: function, Hook: "tp_btf/" + name, Attach: func(p *ebpf.Program) (link.Link, error) {
		return link.AttachTracing(link.TracingOptions{Program: p})
	}}}}
}

// Cgroup is a hook at the root of the cgroup2 hierarchy, and so for every process. It does not displace others'.
func Cgroup(function, name, root string, attach ebpf.AttachType) Hook {
	return Hook{Variants: []Variant{{Function: function, Hook: "cgroup/" + name, Attach: func(p *ebpf.Program) (link.Link, error) {
		return link.AttachCgroup(link.CgroupOptions{Path: root, Attach: attach, Program: p})
	}, Needs: kernel.Requirements{Capabilities: []kernel.Capability{kernel.CapNetAdmin}, Cgroup2: true}}}}
}

// Syscall is a hook at the entry to or the exit from a system call. It needs tracefs, and slows all system calls down.
func Syscall(function, name string) Hook {
	return Hook{Variants: []Variant{{Function: function, Hook: "tracepoint/syscalls/" + name, Attach: func(p *ebpf.Program) (link.Link, error) {
		return link.Tracepoint("syscalls", name, p, nil)
	}, Needs: kernel.Requirements{Tracefs: true}}}}
}

// Iterator runs a function once over all objects of a kind.
func Iterator(function, name string) Hook {
	return Hook{Variants: []Variant{{Function: function, Hook: "iter/" + name, Attach: iterate}}}
}

// requirements is what the hooks need, if each is taken in its first variant.
func requirements(hooks []Hook) kernel.Requirements {
	all := kernel.Requirements{Capabilities: []kernel.Capability{kernel.CapBPF, kernel.CapPerfmon}}
	for _, hook := range hooks {
		needs := hook.Variants[0].Needs
		for _, c := range needs.Capabilities {
			if !slices.Contains(all.Capabilities, c) {
				all.Capabilities = append(all.Capabilities, c)
			}
		}
		all.Tracefs = all.Tracefs || needs.Tracefs
		all.Cgroup2 = all.Cgroup2 || needs.Cgroup2
	}
	return all
}

func iterate(p *ebpf.Program) (_ link.Link, err error) {
	iter, err := link.AttachIter(link.IterOptions{Program: p})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, iter.Close()) }()
	r, err := iter.Open()
	if err != nil {
		return nil, fmt.Errorf("open iterator: %w", err)
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	_, err = io.Copy(io.Discard, r)
	return nil, err
}
