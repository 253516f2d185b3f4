// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program

// Interfaces are the network interfaces that an XDP hook is attached to: those that are there, and those that come later.
type Interfaces struct {
	// Chosen returns whether an interface of that name is asked for.
	Chosen func(name string) bool
	// Named are those that are asked for by name, and have to be there at the start.
	Named []string
	// Added is called before an interface is attached to, Removed after it was; not at the same time.
	Added   func(index uint32, name string) error
	Removed func(index uint32)
}
