// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/event"
	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/query"
)

// Count counts events by the values of fields.
func (s *Store) Count(ctx context.Context, q query.Count) ([]query.Group, error) {
	if groups, ok, err := s.countRecent(ctx, &q); ok || err != nil {
		return groups, err
	}
	total := newCounts(&q)
	if isRecent(&q) {
		total.part = func(group *query.Group, start int64, more *query.Group) {
			if q.Since.UnixNano() <= start && start < q.Until.UnixNano() {
				addTo(group, more)
			}
		}
	}
	if err := s.count(ctx, total, 0, s.lastSequence()); err != nil {
		return nil, err
	}
	groups := make([]query.Group, 0, len(total.list))
	for _, group := range total.list {
		if group.Count > 0 {
			groups = append(groups, *group)
		}
	}
	return groups, nil
}

// count adds the events with these sequence numbers, the first one excluded.
func (s *Store) count(ctx context.Context, total *counts, after, newest int64) error {
	q := total.query
	for _, one := range s.all() {
		earliest, latest, records := one.span()
		if records == 0 || !q.Since.IsZero() && latest < nanoseconds(q.Since, 0) || !q.Until.IsZero() && earliest >= nanoseconds(q.Until, 0) {
			continue
		}
		if one.first+records <= after+1 || !one.mayHave(&q.Filter) {
			continue
		}
		if after < one.first && one.first+records-1 <= newest {
			if ok, err := total.byTally(ctx, s, one); ok || err != nil {
				if err != nil {
					return err
				}
				continue
			}
		}
		if err := total.add(ctx, s, one, max(one.first, after+1), newest); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) lastSequence() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.newest
}

// counts adds up the counts of files.
type counts struct {
	query  *query.Count
	byText map[string]*query.Group
	// key is the key of the query in the table tallies, 0 until it is needed.
	key  int64
	list []*query.Group
	// count adds an event to its group.
	count func(group *query.Group, at, sequence int64)
	// part adds the counts of a part of time. It is nil if tallies must not be used.
	part func(group *query.Group, start int64, more *query.Group)
}

func newCounts(q *query.Count) *counts {
	c := &counts{query: q, byText: map[string]*query.Group{}}
	c.count = c.total
	return c
}

// columnOf returns the column that a key is counted by, or one of decoded events.
func columnOf(key query.Key) int {
	switch key.Kind {
	case query.ByType, query.ByProgram:
		return columnType
	case query.BySeverity:
		return columnSeverity
	case query.ByField:
		return int(key.Field)
	default:
		return inRest
	}
}

// maxKeys is how many fields events may be counted by.
const maxKeys = query.MaxKeys

// numbers are the values of a record in the columns that are counted by. A bit in none says that the record has no value.
type numbers struct {
	values [maxKeys]int64
	none   uint8
}

// add adds the events of a file.
func (c *counts) add(ctx context.Context, s *Store, one *slice, first, newest int64) error {
	q := c.query
	if len(q.By) > maxKeys {
		return fmt.Errorf("events can be counted by %d fields at most", maxKeys)
	}
	columns := []string{"time", "sequence"}
	whole, picks := len(q.Attributes) > 0, false
	for _, key := range q.By {
		column := columnOf(key)
		if column == inRest {
			_, isColumn := event.Attributes[key.Attribute]
			whole, picks = whole || isColumn, true
			columns = append(columns, "NULL")
			continue
		}
		columns = append(columns, columnNames[column].name)
	}
	pick := picker{texts: map[string]int64{}, column: len(columns)}
	if picks { // the other columns may be in an index
		columns = append(columns, "shape", "origin", "rest")
	}
	if whole {
		return s.scan(ctx, one, &q.Filter, selection, first, newest, anyOrder, c.event)
	}
	known := map[numbers]*query.Group{}
	return s.scan(ctx, one, &q.Filter, strings.Join(columns, ", "), first, newest, anyOrder, func(p *plan, stmt *statement) error {
		var n numbers
		for i, key := range q.By {
			switch {
			case key.Kind == query.ByAttribute:
				number, ok, err := pick.attribute(p, stmt, key.Attribute)
				if err != nil {
					return err
				}
				if n.values[i] = number; !ok {
					n.none |= 1 << i
				}
			case stmt.ColumnIsNull(i + 2):
				n.none |= 1 << i
			default:
				n.values[i] = stmt.ColumnInt64(i + 2)
			}
		}
		group, ok := known[n]
		if !ok {
			var err error
			if group, err = c.resolve(p, n, &pick); err != nil {
				return err
			}
			known[n] = group
		}
		c.count(group, stmt.ColumnInt64(0), stmt.ColumnInt64(1))
		return nil
	})
}

// resolve returns the group of the values that have these numbers in a file.
func (c *counts) resolve(p *plan, n numbers, pick *picker) (*query.Group, error) {
	values := make([]any, len(c.query.By))
	for i, key := range c.query.By {
		if n.none&(1<<i) != 0 {
			continue
		}
		values[i] = n.values[i]
		if key.Kind == query.ByAttribute {
			text, err := pick.text(p, n.values[i])
			if err != nil {
				return nil, err
			}
			values[i] = text
			continue
		}
		if !columnNames[columnOf(key)].text {
			continue
		}
		text, err := p.text(n.values[i])
		if err != nil {
			return nil, err
		}
		values[i] = text
		if key.Kind == query.ByProgram {
			values[i] = programValue(text)
		}
	}
	return c.group(values), nil
}

func programValue(name string) any {
	if program := event.Program(name); program != "" {
		return program
	}
	return nil
}

// event counts an event that had to be decoded.
func (c *counts) event(p *plan, stmt *statement) error {
	var r record
	if ok, err := p.mayMatch(stmt, &r); err != nil || !ok {
		return err
	}
	r.read(stmt.Stmt)
	e, err := decode(&r, p)
	if err != nil || !matches(&e, p.attributes) {
		return err
	}
	fields := e.Values()
	values := make([]any, len(c.query.By))
	for i, key := range c.query.By {
		switch key.Kind {
		case query.ByType:
			if name := e.Record.EventName(); name != "" {
				values[i] = name
			}
		case query.ByProgram:
			values[i] = programValue(e.Record.EventName())
		case query.BySeverity:
			if severity := e.Record.SeverityNumber(); severity != 0 {
				values[i] = int64(severity)
			}
		case query.ByField:
			values[i] = fields[key.Field]
		case query.ByAttribute:
			v, ok := e.Record.Attributes().Get(key.Attribute)
			if !ok {
				v, ok = e.Origin.Resource.Attributes().Get(key.Attribute)
			}
			if ok {
				values[i] = v.AsString()
			}
		}
	}
	c.count(c.group(values), r.values[columnTime], r.sequence)
	return nil
}

// group returns the group of these values.
func (c *counts) group(values []any) *query.Group {
	key := fmt.Sprintf("%#v", values)
	if group, ok := c.byText[key]; ok {
		return group
	}
	group := &query.Group{Values: values}
	c.byText[key] = group
	c.list = append(c.list, group)
	return group
}

func (c *counts) total(group *query.Group, at, sequence int64) {
	addTo(group, &query.Group{Count: 1, First: at, Last: at, Sample: sequence})
	if step := int64(c.query.Step); step > 0 {
		if group.Times == nil {
			group.Times = map[int64]int64{}
		}
		group.Times[at-((at%step)+step)%step]++
	}
}

// addTo adds the events of a group to another one.
func addTo(group, more *query.Group) {
	if group.Count == 0 {
		group.First, group.Last, group.Sample = more.First, more.Last, more.Sample
	}
	group.Count += more.Count
	group.First = min(group.First, more.First)
	if more.Last >= group.Last {
		group.Last, group.Sample = more.Last, more.Sample
	}
}
