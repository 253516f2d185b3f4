// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package packet

import (
	"fmt"
	"maps"
	"sync"

	"github.com/cilium/ebpf"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/packet"
)

// goneKept bounds the number of removed interfaces that are kept until their last counts are read.
const goneKept = 1024

// interfaces knows the interfaces that the program is attached to, and those it was attached to recently, by their
// indices.
type interfaces struct {
	// names is the map of the BPF side with the attached interfaces.
	names *ebpf.Map

	mu    sync.Mutex
	known map[uint32]known
	gone  int
}

type known struct {
	name string
	gone bool
}

// add records an interface, and tells the BPF side.
func (i *interfaces) add(index uint32, name string) error {
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
