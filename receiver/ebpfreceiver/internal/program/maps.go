// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
)

// OverflowCgroup is the cgroup of the series that takes all that finds no room in a map.
const OverflowCgroup = ^uint64(0)

// EventBits returns a bit for each event that is wanted.
func EventBits[E ~uint32](wanted map[E]bool) (bits uint32) {
	for event, want := range wanted {
		if want {
			bits |= 1 << event
		}
	}
	return bits
}

// PutZero makes an entry with a zero value, in a map whose values are one per CPU.
func PutZero[V any](m *ebpf.Map, key any) error {
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return fmt.Errorf("count the CPUs: %w", err)
	}
	if err := m.Put(key, make([]V, cpus)); err != nil {
		return fmt.Errorf("write to map %s: %w", m, err)
	}
	return nil
}

// Each calls f for each entry of a hash map whose values are one per CPU.
func Each[K, V any](m *ebpf.Map, f func(key *K, values []V)) error {
	var (
		key    K
		values []V
	)
	entries := m.Iterate()
	for entries.Next(&key, &values) {
		f(&key, values)
	}
	return iterated(m, entries)
}

// EachShared calls f for each entry of a hash map whose values are shared by all CPUs.
func EachShared[K, V any](m *ebpf.Map, f func(key *K, value *V)) error {
	var (
		key   K
		value V
	)
	entries := m.Iterate()
	for entries.Next(&key, &value) {
		f(&key, &value)
	}
	return iterated(m, entries)
}

func iterated(m *ebpf.Map, entries *ebpf.MapIterator) error {
	// Entries are never removed while we look, so an iteration that was cut short has seen all it can.
	if err := entries.Err(); err != nil && !errors.Is(err, ebpf.ErrIterationAborted) {
		return fmt.Errorf("read map %s: %w", m, err)
	}
	return nil
}
