// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/query"
)

const (
	// maxRecent is how far back counts are remembered: a window of an hour and the one before it, both rounded to query.Part.
	maxRecent = 2*time.Hour + 3*query.Part
	// maxRecentQuestions and maxRecentParts bound the memory: the number of remembered queries, and the parts of each.
	maxRecentQuestions = 64
	maxRecentParts     = 20_000
)

// recent are the counts of recent events for one query, by parts of time. Each query counts only the events that have arrived since the
// last one, whatever their time is.
type recent struct {
	mu sync.Mutex
	parts
	question query.Count
	// seen is the sequence number of the last counted event.
	seen int64
	// forgotten is Store.forgotten at the last count.
	forgotten int64
}

// parts are counts of events by parts of time.
type parts struct {
	groups *counts
	// of has the counts of each group by the start of the part, in nanoseconds.
	of map[*query.Group]map[int64]*query.Group
	// from is the time from which on events are counted.
	from int64
	size int
}

// begin prepares the counting of events for a query, from a time on.
func (p *parts) begin(q *query.Count, from int64) {
	p.groups = newCounts(q)
	p.groups.count, p.groups.part = p.add, p.addPart
	p.of, p.from, p.size = map[*query.Group]map[int64]*query.Group{}, from, 0
}

func (p *parts) isTooLarge() bool {
	return p.size > maxRecentParts || len(p.groups.list) > maxRecentParts
}

func (p *parts) add(group *query.Group, at, sequence int64) {
	p.addPart(group, at-at%int64(query.Part), &query.Group{Count: 1, First: at, Last: at, Sample: sequence})
}

// addPart adds the counts of one part of time.
func (p *parts) addPart(group *query.Group, start int64, more *query.Group) {
	if start < p.from {
		return
	}
	of := p.of[group]
	if of == nil {
		of = map[int64]*query.Group{}
		p.of[group] = of
	}
	if of[start] == nil {
		of[start] = &query.Group{}
		p.size++
	}
	addTo(of[start], more)
}

// countRecent answers a query about recent events. It returns false if the query is not remembered.
func (s *Store) countRecent(ctx context.Context, q *query.Count) (groups []query.Group, ok bool, err error) {
	since, until := nanoseconds(q.Since, 0), nanoseconds(q.Until, 0)
	now := s.settings.Now().UnixNano()
	if !isRecent(q) || since < now-int64(maxRecent) {
		return nil, false, nil
	}
	r := s.recentOf(q)
	if r == nil {
		return nil, false, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.update(ctx, s, since, now); err != nil {
		r.of = nil // an interrupted count begins again
		return nil, false, err
	}
	if r.isTooLarge() {
		r.of = nil
		return nil, false, nil
	}
	return r.sum(since, until), true, nil
}

// isRecent reports whether a query can be answered by parts of time.
func isRecent(q *query.Count) bool {
	since, until := nanoseconds(q.Since, 0), nanoseconds(q.Until, 0)
	return q.Recent && q.Step == 0 && q.Address == nil && q.Port == nil && len(q.Attributes) == 0 && !q.Until.IsZero() &&
		since%int64(query.Part) == 0 && since < until
}

// textOf returns a query as text, without its window.
func textOf(q *query.Count) (string, query.Filter) {
	filter := q.Filter
	filter.Since, filter.Until = time.Time{}, time.Time{}
	return fmt.Sprintf("%#v %#v", filter, q.By), filter
}

// recentOf returns the remembered counts of a query, nil if there are too many queries.
func (s *Store) recentOf(q *query.Count) *recent {
	key, filter := textOf(q)
	s.recentMu.Lock()
	defer s.recentMu.Unlock()
	r, ok := s.recent[key]
	if !ok && len(s.recent) < maxRecentQuestions {
		r = &recent{question: query.Count{Filter: filter, By: q.By}}
		if s.recent == nil {
			s.recent = map[string]*recent{}
		}
		s.recent[key] = r
	}
	return r
}

// update counts the new events, and removes parts that are too old. If a file with counted events has been removed, it counts everything
// again.
func (r *recent) update(ctx context.Context, s *Store, since, now int64) error {
	s.mu.Lock()
	newest, forgotten, until := s.newest, s.forgotten, s.forgottenUntil
	s.mu.Unlock()
	if r.of == nil || since < r.from || r.forgotten != forgotten && until >= r.from {
		q := r.question
		r.begin(&q, max(since-r.more(since, now), (now-int64(maxRecent))/int64(query.Part)*int64(query.Part)))
		r.seen = 0
	}
	r.forgotten = forgotten
	r.groups.query.Since = time.Unix(0, r.from)
	if err := s.count(ctx, r.groups, r.seen, newest); err != nil {
		return err
	}
	r.seen = newest
	part := int64(query.Part)
	r.from = max(r.from, (now-int64(maxRecent))/part*part)
	for _, of := range r.of {
		for start := range of {
			if start < r.from {
				delete(of, start)
				r.size--
			}
		}
	}
	return nil
}

// more returns how far before the requested time to count as well: a client that asks for a window asks for the one before it, too.
func (*recent) more(since, now int64) int64 {
	return (now - since + int64(query.Part) - 1) / int64(query.Part) * int64(query.Part)
}

// sum adds up the parts that begin between two times.
func (r *recent) sum(since, until int64) []query.Group {
	groups := []query.Group{}
	for _, group := range r.groups.list {
		sum := query.Group{Values: group.Values}
		for start, part := range r.of[group] {
			if since <= start && start < until {
				addTo(&sum, part)
			}
		}
		if sum.Count > 0 {
			groups = append(groups, sum)
		}
	}
	return groups
}
