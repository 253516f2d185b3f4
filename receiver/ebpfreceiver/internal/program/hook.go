// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program

import (
	"io"
	"slices"

	"github.com/cilium/ebpf"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
)

// Hook is one place in the kernel that a program wants to be called from.
type Hook struct {
	// Variants are the ways to get there, the best first; the first that this kernel accepts is taken.
	Variants []Variant
	// TracksSockets is whether this hook keeps the owners of TCP sockets on the way, so that program socket need not.
	TracksSockets bool
	// Optional is whether the program goes without the hook where this kernel accepts no variant of it. What it would tell
	// is absent then.
	Optional bool
	// Lossless is whether a run that the kernel leaves out is no loss, because the hook takes only some of what it sees, or
	// another run tells what was missed.
	Lossless bool
}

// Variant is one way to hook a program into the kernel.
type Variant struct {
	// Function is the name of the C function.
	Function string
	// Fallback names a second C function, "" for none. It is called after the first one, and does its work when the kernel has
	// skipped that.
	Fallback string
	// Hook names the place for users, such as "tp_btf/kfree_skb"; "" for what is in no place.
	Hook string
	// Attach attaches the loaded function, until it is closed; nil for what runs once.
	Attach func(*ebpf.Program) (io.Closer, error)
	// Needs is what must be there beyond what every program needs, or the next variant is taken.
	Needs kernel.Requirements
	// With are further functions that belong to this variant, which is none without all of them. What they need is part of
	// Needs, and how they are named to users is Hook.
	With []Variant
}

// Place is a C function with the hook that it is for, such as "fentry/fd_install".
type Place struct{ Function, Hook string }

// OpenReader begins to run the function of a Reader. What it writes is read until io.EOF.
type OpenReader func() (io.ReadCloser, error)

// FirstOf is a hook whose variants are those of hooks, the best first.
func FirstOf(hooks ...Hook) Hook {
	first := hooks[0]
	for _, hook := range hooks[1:] {
		first.Variants = append(slices.Clip(first.Variants), hook.Variants...)
	}
	return first
}

// Together is a hook with the functions of several, each in its first variant; to users it has the name of the first one.
func Together(hooks ...Hook) Hook {
	first := hooks[0].Variants[0]
	for _, hook := range hooks[1:] {
		with := hook.Variants[0]
		first.Needs = first.Needs.And(with.Needs)
		first.With = append(slices.Clip(first.With), with)
	}
	return Hook{Variants: []Variant{first}}
}

// requirements is what the hooks need, each in the first variant whose needs are met, or in its first one if none is.
func requirements(hooks []Hook, check func(kernel.Requirements) error) kernel.Requirements {
	all := kernel.Requirements{Capabilities: slices.Clone(AlwaysNeeded)}
	for _, hook := range hooks {
		met := slices.IndexFunc(hook.Variants, func(v Variant) bool { return check(v.Needs) == nil })
		all = all.And(hook.Variants[max(met, 0)].Needs)
	}
	return all
}

// IsPreemptible is whether tracing programs can be preempted. The kernel skips a program for the tasks that run meanwhile.
func (h *Host) IsPreemptible() bool { return h.Kernel.AtLeast(kernel.SincePreemption) }

// PreemptibleTracepoint is a hook at a tracepoint, with a fallback only where programs are preemptible. Elsewhere little is
// missed, and is found by other means.
func (h *Host) PreemptibleTracepoint(function, fallback, name string) Hook {
	if h.IsPreemptible() {
		return ExactTracepoint(function, fallback, name)
	}
	return Tracepoint(function, name)
}
