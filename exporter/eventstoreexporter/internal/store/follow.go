// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/event"
	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/query"
)

var errEnough = errors.New("the limit is reached")

// Follow returns events in the order of their arrival.
func (s *Store) Follow(ctx context.Context, q query.Follow) ([]event.Event, int64, error) {
	s.mu.Lock()
	newest := s.newest
	s.mu.Unlock()
	var events []event.Event
	for _, one := range s.all() {
		_, _, records := one.span()
		if one.first+records-1 <= q.After || one.first > newest || !one.mayHave(&q.Filter) {
			continue
		}
		err := s.scan(ctx, one, &q.Filter, selection, q.After+1, newest, inOrder, func(p *plan, stmt *statement) error {
			var r record
			if ok, err := p.mayMatch(stmt, &r); err != nil || !ok {
				return err
			}
			r.read(stmt.Stmt)
			e, err := decode(&r, p)
			if err != nil {
				return err
			}
			if !matches(&e, q.Attributes) {
				return nil
			}
			if events = append(events, e); len(events) >= q.Limit {
				return errEnough
			}
			return nil
		})
		if errors.Is(err, errEnough) {
			return events, events[len(events)-1].Sequence, nil
		}
		if err != nil {
			return nil, 0, err
		}
	}
	return events, max(newest, q.After), nil
}

// order is that of the records of a scan.
type order bool

const (
	inOrder  order = false
	anyOrder order = true
)

// scan calls a function for all records of a slice that a filter leaves, in the order of their arrival or in the
// one that is the fastest.
func (s *Store) scan(
	ctx context.Context, one *slice, f *query.Filter, columns string, from, to int64, o order,
	row func(p *plan, stmt *statement) error,
) error {
	s.turns.take()
	defer s.turns.give()
	r, err := one.reader(ctx)
	if err != nil {
		return s.readError(ctx, one, err)
	}
	err = scan(s.turns, r, f, columns, from, to, o, row)
	if err != nil && !errors.Is(err, errEnough) {
		r.close()
		return s.readError(ctx, one, err)
	}
	s.rest(r)
	return err
}

func scan(
	t *turns, r *reader, f *query.Filter, columns string, from, to int64, o order, row func(p *plan, stmt *statement) error,
) error {
	p, err := r.plan(f)
	if err != nil || len(p.parts) == 0 {
		return err
	}
	if p.warnings && o == anyOrder {
		rows := 0
		return p.byWarnings(columns, from, to, func(stmt *statement) error {
			if rows++; rows%blockSize == 0 {
				t.next()
			}
			return row(p, stmt)
		})
	}
	stmt, err := p.prepare(columns, " ORDER BY sequence")
	if err != nil {
		return err
	}
	defer stmt.Finalize() //nolint:errcheck // its error is that of the last step
	for i := range p.parts {
		of := &p.parts[i]
		first := r.slice.first + int64(of.number)*blockSize
		if first+blockSize <= from || first > to {
			continue
		}
		t.next()
		if err := stmt.part(of, from, to, func() error { return row(p, stmt) }); err != nil {
			return err
		}
	}
	return nil
}
