// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"encoding/binary"
	"math"

	"zombiezen.com/go/sqlite"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/query"
)

// A sealed file has a tally for each remembered query about recent events: its counts by parts of time. So a query for another window,
// or the first one after a start, does not count the events again.

// questionKey is the key of a query in the table tallies.
func questionKey(question string) int64 { return int64(hashText(question)) }

// tallies returns the tallies of a slice for all remembered queries.
func (s *Store) tallies(one *slice) map[int64][]byte {
	s.recentMu.Lock()
	questions := make(map[int64]query.Count, len(s.recent))
	for text, r := range s.recent {
		questions[questionKey(text)] = r.question
	}
	s.recentMu.Unlock()
	_, _, records := one.span()
	list := map[int64][]byte{}
	for key, q := range questions {
		var t parts
		t.begin(&q, math.MinInt64)
		if err := t.groups.add(context.Background(), s, one, one.first, one.first+records-1); err != nil || t.isTooLarge() {
			continue // the query will count the events
		}
		list[key] = t.encode(one.first)
	}
	return list
}

// byTally adds the counts of the tally of a slice. It returns false if the file has no tally for this query.
func (c *counts) byTally(ctx context.Context, s *Store, one *slice) (bool, error) {
	one.mu.Lock()
	isSealed := one.index == nil
	one.mu.Unlock()
	if !isSealed || c.part == nil {
		return false, nil
	}
	s.turns.take()
	defer s.turns.give()
	r, err := one.reader(ctx)
	if err != nil {
		return true, s.readError(ctx, one, err)
	}
	sealed, ok := r.lookups.(*sealed)
	if !ok {
		s.rest(r)
		return false, nil
	}
	if c.key == 0 {
		text, _ := textOf(c.query)
		c.key = questionKey(text)
	}
	found := false
	err = sealed.rows("SELECT groups FROM tallies WHERE question = ?", func(stmt *sqlite.Stmt) error {
		found = true
		return c.decode(bytesOf(stmt), one.first)
	}, c.key)
	if err != nil {
		r.close()
		return true, s.readError(ctx, one, err)
	}
	s.rest(r)
	return found, nil
}

// Kinds of values in a tally.
const (
	tallyNil = iota
	tallyInt
	tallyText
)

// encode returns the counts as the table tallies has them. Sequence numbers are differences to the first one.
func (p *parts) encode(first int64) []byte {
	var to []byte
	for _, group := range p.groups.list {
		for _, value := range group.Values {
			switch value := value.(type) {
			case int64:
				to = binary.AppendVarint(append(to, tallyInt), value)
			case string:
				to = append(binary.AppendUvarint(append(to, tallyText), uint64(len(value))), value...)
			default:
				to = append(to, tallyNil)
			}
		}
		of := p.of[group]
		to = binary.AppendUvarint(to, uint64(len(of)))
		for start, one := range of {
			to = binary.AppendVarint(to, start/int64(query.Part))
			to = binary.AppendUvarint(to, uint64(one.Count))
			to = binary.AppendVarint(to, one.First-start)
			to = binary.AppendVarint(to, one.Last-start)
			to = binary.AppendVarint(to, one.Sample-first)
		}
	}
	return to
}

// decode adds the counts that encode has written.
func (c *counts) decode(text []byte, first int64) error {
	d := values{rest: text}
	for len(d.rest) > 0 && d.err == nil {
		group := make([]any, len(c.query.By))
		for i := range group {
			switch d.kindOfTally() {
			case tallyInt:
				group[i] = d.varint()
			case tallyText:
				group[i] = string(d.bytes(d.uvarint()))
			}
		}
		of := c.group(group)
		for range d.length() {
			start := d.varint() * int64(query.Part)
			one := query.Group{Count: int64(d.uvarint()), First: start + d.varint(), Last: start + d.varint(), Sample: first + d.varint()}
			if d.err == nil {
				c.part(of, start, &one)
			}
		}
	}
	return d.err
}

func (d *values) kindOfTally() byte {
	if b := d.bytes(1); b != nil {
		return b[0]
	}
	return tallyNil
}
