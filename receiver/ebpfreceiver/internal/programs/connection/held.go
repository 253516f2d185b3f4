// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package connection

import (
	"time"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/connection"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
)

// maxHeld bounds the records that are held back. If there are more, the oldest becomes a log record before its time.
const maxHeld = 16384

// heldRecord is the record of a connection that was made.
type heldRecord struct {
	event        bpf.ConnectionEvent
	until        time.Time
	older, newer *heldRecord
}

// held are the connections that were made a moment ago. If they end soon, their close says all of it.
type held struct {
	within time.Duration // 0: none is held back
	now    func() time.Time
	// records are by the number of the socket. oldest is the one that was held back first.
	records        map[uint64]*heldRecord
	oldest, newest *heldRecord
	// free is one that was used and can be used again: connections that are short are often so one after the other.
	free *heldRecord
}

// hold reports whether an event is held back: that of a TCP connection that was made.
func (h *held) hold(e *bpf.ConnectionEvent) bool {
	made := e.Record.Event != eventClose && e.Record.Event != eventJoin && e.Error == 0
	// Without the socket's number its close could not be recognized.
	if h.within == 0 || !made || e.Transport != tcp || e.Cookie == 0 || h.records[e.Cookie] != nil {
		return false
	}
	r := h.free
	if r == nil {
		r = new(heldRecord)
	}
	h.free = nil
	*r = heldRecord{event: *e, until: h.now().Add(h.within), older: h.newest}
	if h.newest == nil {
		h.oldest = r
	} else {
		h.newest.newer = r
	}
	h.newest = r
	h.records[e.Cookie] = r
	return true
}

// take returns the event of making the connection that this event closes, if it was held back; nil otherwise. It is valid until
// the next hold.
func (h *held) take(e *bpf.ConnectionEvent) *bpf.ConnectionEvent {
	if e.Record.Event != eventClose {
		return nil
	}
	r := h.records[e.Cookie]
	if r == nil {
		return nil
	}
	h.remove(r)
	return &r.event
}

func (h *held) remove(r *heldRecord) {
	delete(h.records, r.event.Cookie)
	if r.older == nil {
		h.oldest = r.newer
	} else {
		r.older.newer = r.newer
	}
	if r.newer == nil {
		h.newest = r.older
	} else {
		r.newer.older = r.older
	}
	h.free = r
}

// AppendHeld implements program.Holder.
func (c *connections) AppendHeld(b *batch.Batch, all bool) (next time.Time) {
	h := &c.held
	if h.oldest == nil {
		return time.Time{}
	}
	for now := h.now(); h.oldest != nil && b.Room() > 0; {
		r := h.oldest
		if !all && now.Before(r.until) && len(h.records) <= maxHeld {
			break
		}
		h.remove(r)
		c.append(b, &r.event, nil)
	}
	if h.oldest == nil {
		return time.Time{}
	}
	return h.oldest.until
}
