// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/event"
	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/query"
)

// Events returns a page of events in the order of their times. It always reads the block that may have the next event, and ends when
// no other block can have an event that belongs to the page.
func (s *Store) Events(ctx context.Context, q query.Events) (query.Page, error) {
	search := &search{store: s, ctx: ctx, query: &q, newest: math.MaxInt64}
	defer search.close()
	if q.After != nil {
		search.newest = q.After.Newest
	} else {
		s.mu.Lock()
		search.newest = s.newest
		s.mu.Unlock()
	}
	for _, one := range s.all() {
		earliest, latest, records := one.span()
		if records > 0 && one.first <= search.newest && search.mayHave(earliest, latest) {
			search.open = append(search.open, candidate{slice: one, earliest: earliest, latest: latest})
		}
	}
	for {
		next, ok := search.next()
		if !ok {
			break
		}
		if err := search.read(next); err != nil {
			return query.Page{}, err
		}
	}
	search.trim()
	page := query.Page{}
	if len(search.found) > q.Limit {
		search.found = search.found[:q.Limit]
		last := search.found[q.Limit-1]
		page.Next = &query.Cursor{Time: last.at, Sequence: last.event.Sequence, Newest: search.newest}
	}
	page.Events = make([]event.Event, len(search.found))
	for i := range search.found {
		page.Events[i] = search.found[i].event
	}
	return page, nil
}

// search is a running query for events.
type search struct {
	store  *Store
	ctx    context.Context //nolint:containedctx // it is that of the one call that the search is made for
	query  *query.Events
	newest int64
	// open are the slices, and parts of slices, that are not read yet.
	open  []candidate
	plans map[*slice]*planned
	found []found
	// full says that found has more events than the limit; worst is then the last one within it.
	full  bool
	worst found
}

// candidate is a slice, or a part of one.
type candidate struct {
	slice            *slice
	part             *part
	earliest, latest int64
}

type planned struct {
	*plan
	statement *statement
}

type found struct {
	at    int64
	event event.Event
}

func (s *search) close() {
	for _, p := range s.plans {
		if p.statement != nil {
			_ = p.statement.Finalize() // its error is that of the last step
		}
		s.store.rest(p.reader)
	}
}

// compare compares two events by the order of the query.
func (s *search) compare(at, sequence, otherAt, otherSequence int64) int {
	order := cmp.Or(cmp.Compare(at, otherAt), cmp.Compare(sequence, otherSequence))
	if s.query.Ascending {
		return order
	}
	return -order
}

// mayHave reports whether events between two times can belong to the page.
func (s *search) mayHave(earliest, latest int64) bool {
	q := s.query
	if !q.Since.IsZero() && latest < nanoseconds(q.Since, 0) || !q.Until.IsZero() && earliest >= nanoseconds(q.Until, 0) {
		return false
	}
	if q.After == nil {
		return true
	}
	if q.Ascending {
		return latest >= q.After.Time
	}
	return earliest <= q.After.Time
}

// next takes the candidate that may have the best event, unless it is worse than all that were found.
func (s *search) next() (candidate, bool) {
	if len(s.open) == 0 {
		return candidate{}, false
	}
	best := 0
	for i := range s.open {
		if s.better(&s.open[i], &s.open[best]) {
			best = i
		}
	}
	c := s.open[best]
	if s.full && (s.query.Ascending && c.earliest > s.worst.at || !s.query.Ascending && c.latest < s.worst.at) {
		return candidate{}, false
	}
	last := len(s.open) - 1
	s.open[best] = s.open[last]
	s.open = s.open[:last]
	return c, true
}

func (s *search) better(a, b *candidate) bool {
	if s.query.Ascending {
		return a.earliest < b.earliest
	}
	return a.latest > b.latest
}

func (s *search) read(c candidate) error {
	s.store.turns.take()
	defer s.store.turns.give()
	var err error
	if c.part == nil {
		err = s.expand(c.slice)
	} else {
		err = s.part(c.slice, c.part)
	}
	return s.store.readError(s.ctx, c.slice, err)
}

// readError returns the error of a query after the error of one slice: none if the slice was removed or is damaged.
func (s *Store) readError(ctx context.Context, one *slice, err error) error {
	switch {
	case err == nil, errors.Is(err, errGone):
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, errReplaced), errors.Is(err, errValue), errors.Is(err, errShape), !s.isFull(err) && isDamage(one.path, err):
		one.mu.Lock()
		gone := one.gone
		one.mu.Unlock()
		if !gone {
			s.abandon(one, err)
		}
		return nil
	default:
		return err
	}
}

// expand replaces a slice by its parts.
func (s *search) expand(one *slice) error {
	if !one.mayHave(&s.query.Filter) {
		return nil
	}
	r, err := one.reader(s.ctx)
	if err != nil {
		return err
	}
	if s.plans == nil {
		s.plans = map[*slice]*planned{}
	}
	p, err := r.plan(&s.query.Filter)
	if err != nil {
		r.close()
		return err
	}
	s.plans[one] = &planned{plan: p}
	for i := range p.parts {
		b := &p.parts[i]
		if s.mayHave(b.earliest, b.latest) {
			s.open = append(s.open, candidate{one, b, b.earliest, b.latest})
		}
	}
	return nil
}

func (s *search) part(one *slice, of *part) error {
	p := s.plans[one]
	if p.statement == nil {
		order := " ORDER BY sequence"
		if !s.query.Ascending {
			order += " DESC"
		}
		var err error
		if p.statement, err = p.prepare(selection, order); err != nil {
			return err
		}
	}
	var r record
	return p.statement.part(of, one.first, s.newest, func() error {
		at, sequence := p.statement.ColumnInt64(columnTime+1), p.statement.ColumnInt64(0)
		if after := s.query.After; after != nil && s.compare(at, sequence, after.Time, after.Sequence) <= 0 {
			return nil
		}
		if s.full && s.compare(at, sequence, s.worst.at, s.worst.event.Sequence) > 0 {
			return nil
		}
		if ok, err := p.mayMatch(p.statement, &r); err != nil || !ok {
			return err
		}
		r.read(p.statement.Stmt)
		e, err := decode(&r, p)
		if err != nil {
			return err
		}
		if !matches(&e, p.attributes) {
			return nil
		}
		s.found = append(s.found, found{at, e})
		if len(s.found) >= 2*s.query.Limit+64 || len(s.found) > s.query.Limit && !s.full {
			s.trim()
		}
		return nil
	})
}

// trim keeps the first events in the order of the query: one more than the page has.
func (s *search) trim() {
	slices.SortFunc(s.found, func(a, b found) int { return s.compare(a.at, a.event.Sequence, b.at, b.event.Sequence) })
	if keep := s.query.Limit + 1; len(s.found) >= keep {
		clear(s.found[keep:])
		s.found = s.found[:keep]
		s.full, s.worst = true, s.found[keep-1]
	}
}
