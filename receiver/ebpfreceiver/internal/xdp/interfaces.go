// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package xdp attaches an XDP program to network interfaces, and follows new, renamed and removed ones.
package xdp

// Interfaces selects the network interfaces to attach to: those that exist, and those that appear later.
type Interfaces struct {
	// Chosen reports whether an interface of that name is selected.
	Chosen func(name string) bool
	// Named lists the interfaces that are selected by name. They must exist at the start.
	Named []string
	// Added is called before an interface is attached to, Removed after it is detached from; never at the same time.
	Added   func(index uint32, name string) error
	Removed func(index uint32)
}
