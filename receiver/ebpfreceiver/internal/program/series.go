// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/cilium/ebpf"
)

// OverflowCgroup is the cgroup of the series that takes all that finds no room in a map.
const OverflowCgroup = ^uint64(0)

// scrapesKept is how many scrapes still see what is gone: its last counts have to reach somebody.
const scrapesKept = 3

const (
	// histogramMemory is the most that the histograms of all CPUs take, unless that is too little for minHistograms.
	histogramMemory              = 64 << 20
	minHistograms, maxHistograms = 128, 1024
)

// MakeRoom says how many series a map of histograms has room for, each of which is there once per CPU: CPUs that add to
// the same one would wait for each other.
func MakeRoom(histograms *ebpf.MapSpec) error {
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return fmt.Errorf("count the CPUs: %w", err)
	}
	histograms.MaxEntries = roomFor(histograms.ValueSize, cpus)
	return nil
}

func roomFor(size uint32, cpus int) uint32 {
	return uint32(min(max(histogramMemory/int(size)/cpus, minHistograms), maxHistograms))
}

// Fate is what becomes of an entry of a map at a scrape.
type Fate uint8

const (
	// Keep is for what is still there.
	Keep Fate = iota
	// Merge is for what is gone, as a cgroup of the host's, of a series that goes on: the entry goes, and its value stays
	// part of the series, because a sum must not fall.
	Merge
	// Remove is for what is gone, as a container: the series goes with it.
	Remove
)

// Fate is the fate of what is counted for a cgroup.
func (m *Metrics) Fate(cgroup uint64) Fate {
	switch {
	case cgroup == 0 || cgroup == OverflowCgroup || !m.containers.Gone(cgroup):
		return Keep
	case m.Container(cgroup) == nil || m.containers.Lives(cgroup):
		return Merge
	default:
		return Remove
	}
}

// Series are what an object counts in a hash map. K is the map's key and V its value, a struct of nothing but uint64; S is
// what tells the series apart that users see: keys that give the same S are one series, as the cgroups of a container are.
type Series[K, S, V comparable] struct {
	of   func(*Metrics, *K) S
	fate func(*Metrics, *K, *V) Fate

	counts *ebpf.Map
	perCPU bool
	// merged are the values of entries that are gone, of series that are not.
	merged map[S]*merged[K, V]
	// gone says how many scrapes have seen an entry since what it counts is gone.
	gone map[K]int
}

// merged is what was merged into a series.
type merged[K, V comparable] struct {
	value V
	// key is one of the series, if possible of an entry that is still there: the series ends as that would.
	key K
	// gone is as in Series.
	gone int
}

// NewSeries returns series that know nothing until Loaded is called. of returns the series of a key, fate what becomes of
// an entry.
func NewSeries[K, S, V comparable](of func(*Metrics, *K) S, fate func(*Metrics, *K, *V) Fate) *Series[K, S, V] {
	return &Series[K, S, V]{of: of, fate: fate, merged: map[S]*merged[K, V]{}, gone: map[K]int{}}
}

// Loaded takes the map, and makes the entries for what finds no room, which must be there before there is none.
func (s *Series[K, S, V]) Loaded(counts *ebpf.Map, overflow ...K) error {
	s.counts, s.perCPU = counts, counts.Type() == ebpf.PerCPUHash
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

// Scrape returns the sums over all CPUs by series, but for those that are zero. With an error it returns what it has read.
func (s *Series[K, S, V]) Scrape(m *Metrics) (map[S]*V, error) {
	var none V
	sums := make(map[S]*V, len(s.merged))
	for series, one := range s.merged {
		addTo(sums, series, &one.value)
	}
	over := map[K]Fate{}
	err := s.each(func(key *K, value *V) {
		series, fate := s.of(m, key), s.fate(m, key, value)
		if *value != none {
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
	s.endMerged(m)
	for key, fate := range over {
		err = errors.Join(err, s.end(m, &key, fate))
	}
	return sums, err
}

// endMerged lets go of what was merged into series that have ended.
func (s *Series[K, S, V]) endMerged(m *Metrics) {
	for series, one := range s.merged {
		if s.fate(m, &one.key, &one.value) != Remove {
			one.gone = 0
		} else if one.gone++; one.gone > scrapesKept {
			delete(s.merged, series)
		}
	}
}

// Forget lets go of what was merged into series that have ended otherwise than with their cgroup.
func (s *Series[K, S, V]) Forget(ended func(S) bool) {
	for series := range s.merged {
		if ended(series) {
			delete(s.merged, series)
		}
	}
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
	// Entries are never removed while we look, so an iteration that was cut short has seen all it can.
	if err := entries.Err(); err != nil && !errors.Is(err, ebpf.ErrIterationAborted) {
		return fmt.Errorf("read map %s: %w", s.counts, err)
	}
	return nil
}

// end removes an entry.
func (s *Series[K, S, V]) end(m *Metrics, key *K, fate Fate) error {
	delete(s.gone, *key)
	value, err := s.take(key)
	if err != nil {
		return fmt.Errorf("remove from map %s: %w", s.counts, err)
	}
	if fate == Merge {
		series := s.of(m, key)
		if s.merged[series] == nil {
			s.merged[series] = &merged[K, V]{key: *key}
		}
		add64s(&s.merged[series].value, value)
	}
	return nil
}

// take removes an entry and returns its value: in one step where the kernel can (5.14).
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

// add64s adds the fields of a struct of nothing but uint64 to those of another.
func add64s[V any](to, from *V) {
	n := unsafe.Sizeof(*to) / 8
	sums := unsafe.Slice((*uint64)(unsafe.Pointer(to)), n)
	for i, v := range unsafe.Slice((*uint64)(unsafe.Pointer(from)), n) {
		sums[i] += v
	}
}
