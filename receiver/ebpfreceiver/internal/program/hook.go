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
	// Sampling is whether the hook takes only some of what it sees, so that a run that the kernel leaves out is no loss.
	Sampling bool
}

// Variant is one way to hook a program into the kernel.
type Variant struct {
	// Function is the name of the C function.
	Function string
	// Substitute names a second C function, "" for none, which is called behind the first one and does its work whenever
	// the kernel has left that out, so that nothing is missed.
	Substitute string
	// Hook names the place for users, such as "tp_btf/kfree_skb"; "" for what is in no place.
	Hook string
	// Attach attaches the loaded function, until it is closed; nil for what runs once.
	Attach func(*ebpf.Program) (io.Closer, error)
	// Needs is what must be there beyond what every program needs.
	Needs kernel.Requirements
}

// Place is a C function with the hook that it is for, such as "fentry/fd_install".
type Place struct{ Function, Hook string }

// OpenReader begins to run the function of a Reader. What it writes is read until io.EOF.
type OpenReader func() (io.ReadCloser, error)

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
