// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package connection

import (
	"errors"
	"fmt"
	"io"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"go.uber.org/zap"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/connection"
)

const (
	// searchShare limits searches to one part in so many of the time.
	searchShare = 10
	// searchValid is how long a result is used for further connections to the same listener.
	searchValid = time.Second
	// maxResults bounds the kept results.
	maxResults = 1024
)

// holders finds processes that have a socket whose owner has ended. It searches the descriptors of all processes. On the way,
// the BPF side replaces owners that have ended.
type holders struct {
	// closer returns the process that closed the connection meanwhile; nil if unknown.
	closer func(cookie uint64) *common.Owner
	search func(*bpf.ConnectionWanted) ([]bpf.ConnectionHolder, error) // nil: not on this system
	now    func() time.Time
	logger *zap.Logger

	next    time.Time // no search is made before it
	results map[bpf.ConnectionPort]result
}

// result is the process that has a listener.
type result struct {
	until time.Time
	owner *common.Owner // nil: nobody
}

// of returns a process that has the connection or, for one that is being accepted, its listener; nil if none is found.
func (h *holders) of(e *bpf.ConnectionEvent) *common.Owner {
	if h.search == nil {
		return nil
	}
	if owner := h.closer(e.Cookie); owner != nil {
		return owner
	}
	port := bpf.ConnectionPort{Netns: e.Netns, Number: e.Flow.LocalPort, Family: uint16(e.Family)}
	accepted, now := e.Record.Event == eventAccept, h.now()
	if r, ok := h.results[port]; ok && accepted && now.Before(r.until) {
		return r.owner
	}
	if now.Before(h.next) {
		return nil
	}
	found, err := h.search(&bpf.ConnectionWanted{Cookie: e.Cookie, Port: port})
	end := h.now()
	h.next = end.Add((searchShare - 1) * end.Sub(now))
	if err != nil {
		h.logger.Warn("Cannot search for the process that has a socket; the event has none", zap.Error(err))
	}
	var connection, listener *common.Owner
	for i := range found {
		if owner := common.OwnerOf(&found[i].Owner); found[i].Connection != 0 {
			connection = owner
		} else if listener == nil {
			listener = owner
		}
	}
	if !accepted {
		return connection
	}
	if h.results == nil || len(h.results) >= maxResults {
		h.results = map[bpf.ConnectionPort]result{}
	}
	h.results[port] = result{until: end.Add(searchValid), owner: listener}
	return listener
}

// closerIn returns a function that looks up who has closed a connection in the map of known sockets.
func closerIn(sockets *ebpf.Map) func(cookie uint64) *common.Owner {
	return func(cookie uint64) *common.Owner {
		var s common.SocketSlot
		if cookie == 0 || sockets.Lookup(uint32(cookie%uint64(sockets.MaxEntries())), &s) != nil ||
			s.Slot.Key != cookie || s.State.Owner.Pid == 0 {
			return nil
		}
		return &s.State.Owner
	}
}

// searchBy returns a search that writes the wanted sockets into a map and reads an iterator.
func searchBy(wanted *ebpf.Map, open func() (io.ReadCloser, error)) func(*bpf.ConnectionWanted) ([]bpf.ConnectionHolder, error) {
	return func(w *bpf.ConnectionWanted) (found []bpf.ConnectionHolder, err error) {
		if err := wanted.Put(uint32(0), w); err != nil {
			return nil, fmt.Errorf("write to map %s: %w", wanted, err)
		}
		r, err := open()
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, r.Close()) }()
		for {
			var h bpf.ConnectionHolder
			switch _, err := io.ReadFull(r, unsafe.Slice((*byte)(unsafe.Pointer(&h)), unsafe.Sizeof(h))); {
			case errors.Is(err, io.EOF):
				return found, nil
			case err != nil:
				return found, fmt.Errorf("read the sockets of all processes: %w", err)
			}
			found = append(found, h)
		}
	}
}
