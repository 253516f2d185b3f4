// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package packet

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/cilium/ebpf"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/packet"
)

// goneKept bounds the number of removed interfaces that are kept until their last counts are read.
const goneKept = 1024

// firstFormer begins the indices of former names. The kernel's own are below.
const firstFormer uint32 = 1 << 31

// interfaces are those that the program is attached to, or was attached to until recently, by index. The kernel does not
// reuse an index, but keeps it when an interface is renamed. Then the counts under the old name get an index of their own.
type interfaces struct {
	// names is the BPF side's map of existing interfaces, counts its map of counts by bpf.PacketSeries.
	names, counts *ebpf.Map
	// reading is held while counts are read, and while they move to the index of a former name.
	reading sync.Mutex

	mu    sync.Mutex
	known map[uint32]known
	gone  int
	// former is the number of former names so far.
	former uint32
}

type known struct {
	name string
	gone bool
}

// add records an interface, also on the BPF side. The program is not attached to it at the moment.
func (i *interfaces) add(index uint32, name string) error {
	if err := i.separate(index, name); err != nil {
		return err
	}
	var value bpf.PacketInterface
	for at := range min(len(name), len(value.Name)-1) {
		value.Name[at] = int8(name[at])
	}
	if err := i.names.Put(index, &value); err != nil {
		return fmt.Errorf("write to map %s, which has room for %d interfaces: %w", i.names, i.names.MaxEntries(), err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.known == nil {
		i.known = map[uint32]known{}
	}
	if i.known[index].gone {
		i.gone--
	}
	i.known[index] = known{name: name}
	return nil
}

// separate moves the counts of an interface under another name to an index of their own.
func (i *interfaces) separate(index uint32, name string) error {
	i.mu.Lock()
	k, ok := i.known[index]
	if !ok || k.name == name {
		i.mu.Unlock()
		return nil
	}
	former := firstFormer + i.former
	i.former++
	i.known[former] = known{name: k.name, gone: true}
	if !k.gone {
		i.gone++
	}
	delete(i.known, index)
	i.mu.Unlock()

	i.reading.Lock()
	defer i.reading.Unlock()
	var (
		key    bpf.PacketSeries
		values []bpf.PacketCounts
		moved  = map[bpf.PacketSeries][]bpf.PacketCounts{}
	)
	entries := i.counts.Iterate()
	for entries.Next(&key, &values) {
		if key.Interface == index {
			moved[key] = slices.Clone(values)
		}
	}
	if err := entries.Err(); err != nil {
		return fmt.Errorf("read map %s: %w", i.counts, err)
	}
	for key, values := range moved {
		if err := i.counts.Delete(&key); err != nil {
			return fmt.Errorf("remove from map %s: %w", i.counts, err)
		}
		key.Interface = former
		if err := i.counts.Put(&key, values); err != nil {
			return fmt.Errorf("write to map %s: %w", i.counts, err)
		}
	}
	return nil
}

// remove forgets an interface after its last counts were read, or at once if too many are kept.
func (i *interfaces) remove(index uint32) {
	_ = i.names.Delete(index) // a missing key is no error here
	i.mu.Lock()
	defer i.mu.Unlock()
	if k, ok := i.known[index]; ok && !k.gone {
		i.known[index] = known{name: k.name, gone: true}
		i.gone++
	}
	if i.gone > goneKept {
		i.forget(nil)
	}
}

// forget forgets the oldest removed interfaces, but keeps some.
func (i *interfaces) forget(kept map[uint32]bool) {
	maps.DeleteFunc(i.known, func(index uint32, k known) bool { return k.gone && !kept[index] })
	i.gone = 0
	for _, k := range i.known {
		if k.gone {
			i.gone++
		}
	}
}

// all returns all known interfaces.
func (i *interfaces) all() map[uint32]known {
	i.mu.Lock()
	defer i.mu.Unlock()
	return maps.Clone(i.known)
}

// settle forgets removed interfaces that have no more counts.
func (i *interfaces) settle(counted map[uint32]bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.gone > 0 {
		i.forget(counted)
	}
}
