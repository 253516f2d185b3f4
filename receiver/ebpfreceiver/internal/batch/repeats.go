// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package batch

import (
	"go.opentelemetry.io/collector/pdata/xpdata"
	"go.opentelemetry.io/collector/pdata/xpdata/pref"
)

// repeatSlots is a power of two: how many keys are remembered at once.
const repeatSlots = 256

// Repeats remembers attributes that are the same in many events, such as those of a process, by a key that determines them. Their
// values are in memory once, for all events: a value of pdata is an allocation of its own, and more work for the garbage
// collector. Nobody changes a value in place: what sets an attribute replaces it.
type Repeats[K comparable] struct{ slots [repeatSlots]repeat[K] }

type repeat[K comparable] struct {
	key K
	// seen is how many events with the key there were, up to often. count is the number of its attributes; 0: they are not known yet.
	seen, count uint8
	attributes  xpdata.MapBuilder // as long as its capacity, so that whoever appends copies it
}

// often is how many events of a key there have to be before its attributes are remembered, which costs as much as several events.
const often = 4

// Put puts the attributes of the key, which must be the first ones of the event. put puts them if they are not remembered. It may
// depend on the key alone, and puts no lists. The slot should differ where keys do.
func (r *Repeats[K]) Put(e *Event, slot uint32, key *K, put func(key *K, e *Event)) {
	one := &r.slots[slot%repeatSlots]
	switch {
	case one.seen == 0 || one.key != *key:
		*one = repeat[K]{key: *key, seen: 1}
		put(&one.key, e)
	case one.seen < often || pref.UseProtoPooling.IsEnabled(): // which would use values again when an event is forgotten
		one.seen = min(one.seen+1, often)
		put(&one.key, e)
	case one.count == 0:
		one.learn(e, put)
		fallthrough
	default:
		e.attributes, e.count = copyOf(&one.attributes), one.count
		e.attributes.EnsureCapacity(int(max(*e.capacity, one.count+1)))
	}
}

// copyOf returns a builder of the same attributes. What vet takes for a lock in a builder is used by none.
func copyOf[T any](builder *T) T { return *builder }

// learn remembers the attributes that come often.
func (one *repeat[K]) learn(e *Event, put func(key *K, e *Event)) {
	put(&one.key, e)
	one.count = e.count
	// Once more, with exactly the capacity that it takes.
	again := Event{batch: e.batch, lr: e.lr, capacity: &one.count}
	put(&one.key, &again)
	one.attributes = copyOf(&again.attributes)
}
