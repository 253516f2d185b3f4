// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package listeners reads the TCP listeners of all network namespaces, and the overflows of their accept queues.
package listeners

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/cilium/ebpf"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
)

// Listener is a listener at one reading.
type Listener struct {
	common.Listening
	// New are the overflows since the last reading.
	New uint64

	rise uint32 // drops since the last reading
}

// ID identifies a listener.
type ID struct{ Socket, Since uint64 }

// ID returns the listener's identity.
func (l *Listener) ID() ID { return ID{l.Socket, l.Since} }

// isFull reports whether the queue has no room.
func (l *Listener) isFull() bool { return l.Gone == 0 && l.Backlog > l.Limit }

// Reader reads the listeners at each collection.
type Reader struct {
	// Update updates a listener's entry in Listening. nil: no listeners are read.
	Update func(socket uint64) (common.ListeningFate, error)
	// Listening has the listeners that exist, Listened those that were closed and had drops.
	Listening, Listened *ebpf.Map

	drops     map[ID]uint32
	overflows map[uint32]uint64 // by network namespace
	// early are the overflows that the last reading saw without their drops: the kernel counts them before the drops.
	early    map[uint32]uint64
	listened map[ID]struct{} // the entries of Listened that were read already
}

// Read returns the listeners, including those that were closed since the last reading and had drops.
func (r *Reader) Read() ([]*Listener, error) {
	if r.Update == nil {
		return nil, nil
	}
	all, err := r.readOpen()
	if err != nil {
		return nil, err
	}
	closed, err := r.readClosed()
	if err != nil {
		return nil, err
	}
	all = append(all, closed...)
	r.count(all)
	return all, nil
}

// readOpen returns the listeners that exist. If the end of a listener was missed, its entry is removed.
func (r *Reader) readOpen() (all []*Listener, err error) {
	var (
		sockets []uint64
		socket  uint64
		l       common.Listening
	)
	entries := r.Listening.Iterate()
	for entries.Next(&socket, &l) {
		sockets = append(sockets, socket)
	}
	if err := entries.Err(); err != nil && !errors.Is(err, ebpf.ErrIterationAborted) {
		return nil, fmt.Errorf("read the listeners: %w", err)
	}
	for _, socket := range sockets {
		fate, err := r.Update(socket)
		switch {
		case err != nil:
			return nil, err
		case fate == common.ListeningGone:
			err = r.Listening.Delete(socket)
		case fate == common.ListeningExists:
			one := &Listener{}
			if err = r.Listening.Lookup(socket, &one.Listening); err == nil {
				all = append(all, one)
			}
		}
		if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return nil, fmt.Errorf("read a listener: %w", err)
		}
	}
	return all, nil
}

// readClosed returns the listeners that were closed. Their entries are removed at the next reading: other programs read them, too.
func (r *Reader) readClosed() (all []*Listener, err error) {
	var (
		since uint64
		l     common.Listening
	)
	listened := map[ID]struct{}{}
	entries := r.Listened.Iterate()
	for entries.Next(&since, &l) {
		one := &Listener{Listening: l}
		listened[one.ID()] = struct{}{}
		if _, ok := r.listened[one.ID()]; !ok {
			all = append(all, one)
		}
	}
	if err := entries.Err(); err != nil && !errors.Is(err, ebpf.ErrIterationAborted) {
		return nil, fmt.Errorf("read the listeners that were closed: %w", err)
	}
	for id := range r.listened {
		if err := r.Listened.Delete(id.Since); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return nil, fmt.Errorf("remove a listener that was closed: %w", err)
		}
		delete(listened, id)
	}
	r.listened = listened
	return all, nil
}

// count computes the overflows of each listener. The kernel counts overflows by network namespace, and drops for any reason by
// listener.
func (r *Reader) count(all []*Listener) {
	drops, overflows, early := map[ID]uint32{}, map[uint32]uint64{}, map[uint32]uint64{}
	byNamespace := map[uint32][]*Listener{}
	for _, l := range all {
		before, ok := r.drops[l.ID()]
		if !ok {
			before = l.FirstDrops
		}
		l.rise = l.Drops - before
		if l.Gone == 0 {
			drops[l.ID()] = l.Drops
		}
		byNamespace[l.Port.Netns] = append(byNamespace[l.Port.Netns], l)
	}
	for namespace, its := range byNamespace {
		before, ok := r.overflows[namespace]
		if !ok {
			before = slices.MinFunc(its, func(a, b *Listener) int { return cmp.Compare(a.FirstOverflows, b.FirstOverflows) }).FirstOverflows
		}
		now := before
		for _, l := range its {
			now = max(now, l.Overflows)
		}
		overflows[namespace] = now
		shared := share(now-before+r.early[namespace], its)
		// Overflows of unknown or excluded listeners never get a drop here. They are dropped after one reading.
		early[namespace] = min(now-before, now-before+r.early[namespace]-shared)
	}
	r.drops, r.overflows, r.early = drops, overflows, early
}

// share distributes the overflows of a namespace among its listeners with drops, or only among those with a full queue if these have
// enough drops. Mostly there is one listener. It returns how many overflows had a drop.
func share(overflows uint64, all []*Listener) (shared uint64) {
	var dropped, full []*Listener
	for _, l := range all {
		if l.rise == 0 {
			continue
		}
		dropped = append(dropped, l)
		if l.isFull() {
			full = append(full, l)
		}
	}
	if sum(full) >= overflows {
		dropped = full
	}
	total, passed := sum(dropped), uint64(0)
	overflows = min(overflows, total)
	for _, l := range dropped {
		given := overflows * passed / total
		passed += uint64(l.rise)
		l.New = overflows*passed/total - given
	}
	return overflows
}

func sum(all []*Listener) (rise uint64) {
	for _, l := range all {
		rise += uint64(l.rise)
	}
	return rise
}
