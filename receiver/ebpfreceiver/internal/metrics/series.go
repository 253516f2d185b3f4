// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/cilium/ebpf"
)

// scrapesKept is the number of scrapes that still read an entry after its cgroup is removed: the last counts must be
// exported.
const scrapesKept = 3

// Fate says what happens to a map entry at a scrape.
type Fate uint8

const (
	// Keep leaves the entry in the map.
	Keep Fate = iota
	// Merge removes the entry and keeps its value in the series, as for a cgroup of the host that is gone, or of a container
	// that has others: a sum must not fall.
	Merge
	// Remove removes the entry and its value, as for a container that is gone.
	Remove
)

// Series reads the counters of one hash map. K is the key of the map and V its value, a struct of uint64 fields only. S
// identifies a series as users see it: entries whose keys map to the same S are summed, as for the cgroups of one container.
// The zero value is ready for Loaded.
type Series[K, S, V comparable] struct {
	// Fate overrides what happens to an entry. If it is nil, that depends on the entry's cgroup, the key's field Cgroup.
	Fate func(b *Builder, key *K, value *V) Fate

	of       func(Group, *K) S
	cgroupAt uintptr // offset of the field Cgroup in K
	counts   *ebpf.Map
	perCPU   bool
	// merged holds the values of removed entries whose series go on.
	merged map[S]*merged[K, V]
	// gone counts the scrapes that have read an entry since its cgroup went away.
	gone map[K]int
}

// merged are the counts that were merged into a series.
type merged[K, V comparable] struct {
	value V
	// key is one of the series, if possible of an entry that is still there: the series ends when that entry would.
	key K
	// gone counts as Series.gone does.
	gone int
}

// Loaded hands over the map. of returns the series of a key; overflow lists the keys of the overflow entries, which the BPF
// side falls back to when the map is full, so they must exist before that.
func (s *Series[K, S, V]) Loaded(counts *ebpf.Map, of func(group Group, key *K) S, overflow ...K) error {
	s.counts, s.of, s.perCPU = counts, of, counts.Type() == ebpf.PerCPUHash
	s.cgroupAt = cgroupOffset[K]()
	s.merged, s.gone = map[S]*merged[K, V]{}, map[K]int{}
	var zero any = new(V)
	if s.perCPU {
		cpus, err := ebpf.PossibleCPU()
		if err != nil {
			return fmt.Errorf("count the CPUs: %w", err)
		}
		zero = make([]V, cpus)
	}
	for i := range overflow {
		if err := counts.Put(&overflow[i], zero); err != nil {
			return fmt.Errorf("write to map %s: %w", counts, err)
		}
	}
	return nil
}

// Scrape returns the sum of each series over all CPUs, without those that are zero. On an error it returns what it has read.
func (s *Series[K, S, V]) Scrape(b *Builder) (map[S]*V, error) {
	var zero V
	sums := make(map[S]*V, len(s.merged))
	for series, one := range s.merged {
		addTo(sums, series, &one.value)
	}
	over := map[K]Fate{}
	err := s.each(func(key *K, value *V) {
		series, fate := s.seriesOf(b, key), s.fate(b, key, value)
		if *value != zero {
			addTo(sums, series, value)
		}
		if fate == Keep {
			delete(s.gone, *key)
			if one := s.merged[series]; one != nil {
				one.key = *key
			}
		} else if s.gone[*key]++; s.gone[*key] > scrapesKept {
			over[*key] = fate
		}
	})
	s.endMerged(b)
	for key, fate := range over {
		err = errors.Join(err, s.remove(b, &key, fate))
	}
	return sums, err
}

// endMerged drops the merged counts of series that have ended.
func (s *Series[K, S, V]) endMerged(b *Builder) {
	for series, one := range s.merged {
		if s.fate(b, &one.key, &one.value) != Remove {
			one.gone = 0
		} else if one.gone++; one.gone > scrapesKept {
			delete(s.merged, series)
		}
	}
}

// Forget drops the merged values of series that have ended for another reason than their cgroup.
func (s *Series[K, S, V]) Forget(ended func(S) bool) {
	for series := range s.merged {
		if ended(series) {
			delete(s.merged, series)
		}
	}
}

func (s *Series[K, S, V]) seriesOf(b *Builder, key *K) S {
	return s.of(b.Group(s.cgroup(key)), key)
}

func (s *Series[K, S, V]) fate(b *Builder, key *K, value *V) Fate {
	if s.Fate != nil {
		return s.Fate(b, key, value)
	}
	return b.Fate(s.cgroup(key))
}

// each calls f for each entry, with the sum of its values.
func (s *Series[K, S, V]) each(f func(key *K, value *V)) error {
	var (
		key    K
		value  V
		values []V
		into   any = &value
	)
	if s.perCPU {
		into = &values
	}
	entries := s.counts.Iterate()
	for entries.Next(&key, into) {
		if s.perCPU {
			value = sum(values)
		}
		f(&key, &value)
	}
	// No entry is removed during the iteration, so one that was aborted has read all that it can.
	if err := entries.Err(); err != nil && !errors.Is(err, ebpf.ErrIterationAborted) {
		return fmt.Errorf("read map %s: %w", s.counts, err)
	}
	return nil
}

// remove removes an entry; with Merge its value stays part of the series.
func (s *Series[K, S, V]) remove(b *Builder, key *K, fate Fate) error {
	delete(s.gone, *key)
	value, err := s.take(key)
	if err != nil {
		return fmt.Errorf("remove from map %s: %w", s.counts, err)
	}
	if fate == Merge {
		series := s.seriesOf(b, key)
		if s.merged[series] == nil {
			s.merged[series] = &merged[K, V]{key: *key}
		}
		add64s(&s.merged[series].value, value)
	}
	return nil
}

// take removes an entry and returns its value, in one step where the kernel supports that (5.14).
func (s *Series[K, S, V]) take(key *K) (*V, error) {
	var (
		value  V
		values []V
		into   any = &value
	)
	if s.perCPU {
		into = &values
	}
	if s.counts.LookupAndDelete(key, into) != nil {
		if err := s.counts.Lookup(key, into); err != nil {
			return nil, err
		}
		if err := s.counts.Delete(key); err != nil {
			return nil, err
		}
	}
	if s.perCPU {
		value = sum(values)
	}
	return &value, nil
}

func sum[V any](values []V) (all V) {
	for i := range values {
		add64s(&all, &values[i])
	}
	return all
}

func addTo[S comparable, V any](sums map[S]*V, series S, value *V) {
	all := sums[series]
	if all == nil {
		all = new(V)
		sums[series] = all
	}
	add64s(all, value)
}

// add64s adds the fields of a struct of uint64 fields to those of another.
func add64s[V any](to, from *V) {
	n := unsafe.Sizeof(*to) / 8
	sums := unsafe.Slice((*uint64)(unsafe.Pointer(to)), n)
	for i, v := range unsafe.Slice((*uint64)(unsafe.Pointer(from)), n) {
		sums[i] += v
	}
}
