// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package api

import "sync"

// part is a part of a stream, as it is sent.
type part struct {
	encoded []byte
	// next is the number of the last event that was looked at. more is whether there may be others at once.
	next int64
	more bool
}

// size is about what it takes.
func (p part) size() int { return len(p.encoded) + 256 }

// place is where a part begins: after an event, for some filters; limit is that of the events before it, 0 for those that follow.
type place struct {
	filters string
	after   int64
	limit   int
}

// shared keeps the last parts of streams. Many clients that look at the same events cost little more than one.
type shared struct {
	mu    sync.Mutex
	parts map[place]part
	order []place // the oldest first
	bytes int
}

// maxShared bounds the bytes.
const maxShared = 1 << 20

func (s *shared) get(at place) (part, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.parts[at]
	return p, ok
}

func (s *shared) put(at place, p part) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.parts[at]
	goesOn := at.limit > 0 || p.next > at.after // otherwise there is nothing yet
	if ok || !goesOn || at.filters == "" || p.size() > maxShared {
		return
	}
	if s.parts == nil {
		s.parts = map[place]part{}
	}
	s.parts[at] = p
	s.order = append(s.order, at)
	s.bytes += p.size()
	for s.bytes > maxShared {
		oldest := s.order[0]
		s.bytes -= s.parts[oldest].size()
		delete(s.parts, oldest)
		s.order = s.order[1:]
	}
}
