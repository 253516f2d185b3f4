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

// goneKept bounds how many interfaces that are gone are still known, for the last counts of each.
const goneKept = 1024

// interfaces are those that the program is attached to, and those that it was attached to until a while ago, by their
// indices, which the kernel does not give out again.
type interfaces struct {
	// names is the BPF side's map of those that are there.
	names *ebpf.Map

	mu    sync.Mutex
	known map[uint32]known
	gone  int
}

type known struct {
	name string
	gone bool
}

// add makes an interface known, to the BPF side too.
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

// remove lets go of an interface once its last counts are read, or at once if too many wait for that.
func (i *interfaces) remove(index uint32) {
	_ = i.names.Delete(index) // that it was not there is no matter
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

// forget forgets those that are gone, but for some.
func (i *interfaces) forget(kept map[uint32]bool) {
	maps.DeleteFunc(i.known, func(index uint32, k known) bool { return k.gone && !kept[index] })
	i.gone = 0
	for _, k := range i.known {
		if k.gone {
			i.gone++
		}
	}
}

// all returns what is known now.
func (i *interfaces) all() map[uint32]known {
	i.mu.Lock()
	defer i.mu.Unlock()
	return maps.Clone(i.known)
}

// settle forgets those that are gone and have no counts any more.
func (i *interfaces) settle(counted map[uint32]bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.gone > 0 {
		i.forget(counted)
	}
}
