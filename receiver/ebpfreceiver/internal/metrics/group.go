// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"reflect"
	"unsafe"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
)

// OverflowCgroup is the cgroup in the key of an overflow entry, which counts what found no room in the map.
const OverflowCgroup = ^uint64(0)

// Group is the owner of a series. It is a container and not a cgroup, because a container may have several cgroups.
type Group struct {
	// Container is nil for the host.
	Container *kernel.Container
	// Overflow marks the series that counts what has no room in the map.
	Overflow bool
}

// Group returns the group of a cgroup.
func (b *Builder) Group(cgroup uint64) Group {
	return Group{Container: b.Container(cgroup), Overflow: cgroup == OverflowCgroup}
}

// Container returns the container that a cgroup belongs to, nil for the host.
func (b *Builder) Container(cgroup uint64) *kernel.Container {
	if cgroup == 0 || cgroup == OverflowCgroup {
		return nil
	}
	return b.containers.Lookup(cgroup)
}

// Groups returns the host and each container. These have series before they count anything.
func (b *Builder) Groups() []Group {
	groups := []Group{{}}
	for _, container := range b.containers.Living() {
		groups = append(groups, Group{Container: container})
	}
	return groups
}

// Fate returns what happens to the entries of a cgroup.
func (b *Builder) Fate(cgroup uint64) Fate {
	switch {
	case cgroup == 0 || cgroup == OverflowCgroup || !b.containers.Gone(cgroup):
		return Keep
	case b.Container(cgroup) == nil || b.containers.Lives(cgroup):
		return Merge
	default:
		return Remove
	}
}

// noCgroup is the offset of a cgroup in keys that have none.
const noCgroup = ^uintptr(0)

// cgroupOffset returns the offset of the field Cgroup, a uint64, in a key, or in its field Series.
func cgroupOffset[K any]() uintptr {
	key := reflect.TypeFor[K]()
	within, ok := key.FieldByName("Series")
	if ok {
		key = within.Type
	}
	field, ok := key.FieldByName("Cgroup")
	if !ok || field.Type.Kind() != reflect.Uint64 {
		return noCgroup
	}
	return within.Offset + field.Offset
}

// cgroup returns the cgroup in a key, 0 if keys of this map have none.
func (s *Series[K, S, V]) cgroup(key *K) uint64 {
	if s.cgroupAt == noCgroup {
		return 0
	}
	return *(*uint64)(unsafe.Add(unsafe.Pointer(key), s.cgroupAt))
}
