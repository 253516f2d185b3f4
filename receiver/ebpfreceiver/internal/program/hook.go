// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program

import (
	"io"
	"slices"

	"github.com/cilium/ebpf"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
)

// Hook is one place in the kernel from which a program is called.
type Hook struct {
	// Variants are the ways to attach there, the best first. The first one that this kernel accepts is used.
	Variants []Variant
	// TracksSockets reports that this hook also tracks the owners of TCP sockets, so that program socket is not needed.
	TracksSockets bool
	// Optional reports that the program runs without this hook if the kernel accepts no variant of it. Its data is then
	// absent.
	Optional bool
	// Lossless reports that a run that the kernel skips loses nothing, because the hook only samples, or because a later
	// run makes up for it.
	Lossless bool
}

// Variant is one way to attach a hook.
type Variant struct {
	// Function is the name of the C function.
	Function string
	// Fallback is the name of a second C function, "" for none. It is attached after the first one, and does the work of
	// each run that the kernel skipped (recursion fallback).
	Fallback string
	// Hook names the place for users, such as "tp_btf/kfree_skb".
	Hook string
	// Attach attaches the loaded function until the closer is closed. A nil closer means that the function has run once
	// and is done.
	Attach func(*ebpf.Program) (io.Closer, error)
	// Needs are the requirements beyond those of every program. If they are not met, the next variant is tried.
	Needs kernel.Requirements
	// With are functions that are attached together with this one; if any fails, the variant is unavailable. Their
	// requirements are part of Needs, and they appear to users under Hook.
	With []Variant
}

// Place is a C function and the hook it is written for, such as "fentry/fd_install".
type Place struct{ Function, Hook string }

// FirstOf returns one hook with the variants of several hooks, the best first.
func FirstOf(hooks ...Hook) Hook {
	first := hooks[0]
	for _, hook := range hooks[1:] {
		first.Variants = append(slices.Clip(first.Variants), hook.Variants...)
	}
	return first
}

// Together returns one hook with the functions of several, each in its first variant. Users see the name of the first
// one.
func Together(hooks ...Hook) Hook {
	first := hooks[0].Variants[0]
	for _, hook := range hooks[1:] {
		with := hook.Variants[0]
		first.Needs = first.Needs.And(with.Needs)
		first.With = append(slices.Clip(first.With), with)
	}
	return Hook{Variants: []Variant{first}}
}

// requirements returns what the hooks need: for each, the needs of its first variant that can run, or of its first
// variant if none can.
func requirements(hooks []Hook, check func(kernel.Requirements) error) kernel.Requirements {
	all := kernel.Requirements{Capabilities: slices.Clone(AlwaysNeeded)}
	for _, hook := range hooks {
		met := slices.IndexFunc(hook.Variants, func(v Variant) bool { return check(v.Needs) == nil })
		all = all.And(hook.Variants[max(met, 0)].Needs)
	}
	return all
}
