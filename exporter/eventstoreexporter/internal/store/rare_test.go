// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/event"
	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/query"
	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/storetest"
)

// often makes events with values that occur in 1, 2, 4 and so on of 1,000 events, in a column and in attributes of each kind.
func often(from, count int) plog.Logs {
	logs := storetest.Logs(from, count)
	i := from
	for _, rl := range logs.ResourceLogs().All() {
		for _, lr := range rl.ScopeLogs().At(0).LogRecords().All() {
			n := 1
			for n <= i%1000 {
				n *= 2
			}
			a := lr.Attributes()
			a.PutStr("error.type", fmt.Sprint("e", n))
			a.PutInt("number", int64(n))
			a.PutStr("text", fmt.Sprint("t", n))
			a.PutDouble("double", float64(n)+0.5)
			i++
		}
	}
	return logs
}

// passes reports whether an event passes a filter, without an index.
func passes(e *event.Event, f *query.Filter) bool {
	values := e.Values()
	for field, value := range f.Fields {
		if values[field] != value {
			return false
		}
	}
	either := func(value any, fields ...event.Field) bool {
		return slices.ContainsFunc(fields, func(field event.Field) bool { return values[field] == value })
	}
	return (f.Address == nil || either(*f.Address, event.ClientAddress, event.ServerAddress)) &&
		(f.Port == nil || either(*f.Port, event.ClientPort, event.ServerPort)) &&
		e.Record.SeverityNumber() >= f.Severity && matches(e, f.Attributes) &&
		(len(f.Types) == 0 || slices.ContainsFunc(f.Types, func(t query.Type) bool { return t.Matches(e.Record.EventName()) }))
}

// filtersOf returns a filter for each value of an event that can be filtered by.
func filtersOf(e *event.Event) []query.Filter {
	filters := []query.Filter{{Types: []query.Type{{Text: e.Record.EventName()}}}, {Severity: e.Record.SeverityNumber()}}
	for field, value := range e.Values() {
		if value == nil {
			continue
		}
		filters = append(filters, fields(event.Field(field), value))
		switch value := value.(type) {
		case string:
			if event.Field(field) == event.ServerAddress {
				filters = append(filters, query.Filter{Address: &value})
			}
		case int64:
			if event.Field(field) == event.ClientPort {
				filters = append(filters, query.Filter{Port: &value})
			}
		}
	}
	for _, attributes := range []map[string]any{e.Record.Attributes().AsRaw(), e.Origin.Resource.Attributes().AsRaw()} {
		for _, key := range slices.Sorted(maps.Keys(attributes)) {
			v, ok := e.Record.Attributes().Get(key)
			if !ok {
				v, _ = e.Origin.Resource.Attributes().Get(key)
			}
			filters = append(filters, query.Filter{Attributes: map[string]string{key: v.AsString()}})
		}
	}
	return filters
}

func both(a, b query.Filter) query.Filter {
	f := a
	f.Fields, f.Attributes = maps.Clone(a.Fields), maps.Clone(a.Attributes)
	if f.Fields == nil {
		f.Fields = map[event.Field]any{}
	}
	if f.Attributes == nil {
		f.Attributes = map[string]string{}
	}
	maps.Copy(f.Fields, b.Fields)
	maps.Copy(f.Attributes, b.Attributes)
	if b.Types != nil {
		f.Types = b.Types
	}
	if b.Address != nil {
		f.Address = b.Address
	}
	if b.Port != nil {
		f.Port = b.Port
	}
	f.Severity = max(f.Severity, b.Severity)
	return f
}

// Every value is found, however often it occurs, alone or with another filter: in the file that is being written, in sealed files, and
// after these are opened again.
func TestEveryValueIsFound(t *testing.T) {
	directory := t.TempDir()
	settings := Settings{Directory: directory}
	for _, reopen := range []bool{false, true} {
		t.Run(fmt.Sprint("reopen ", reopen), func(t *testing.T) {
			s := openStore(t, settings)
			s.sliceBytes = 200_000
			if !reopen {
				for i := 0; i < 4000; i += 500 {
					write(t, s, often(i, 500))
				}
				s.settled()
			}
			require.Greater(t, len(s.all()), 2)
			all := everything(t, s, query.Events{Limit: 10_000, Ascending: true})
			random := rand.New(rand.NewPCG(7, 7))
			check := func(f query.Filter) {
				var want []int64
				for i := range all {
					if passes(&all[i], &f) {
						want = append(want, all[i].Sequence)
					}
				}
				var got []int64
				for _, e := range everything(t, s, query.Events{Filter: f, Limit: 10_000, Ascending: true}) {
					got = append(got, e.Sequence)
				}
				require.Equal(t, want, got, "%+v", f)
			}
			for range 2 {
				filters := filtersOf(&all[random.IntN(len(all))])
				for i := range filters {
					check(filters[i])
					check(both(filters[i], filters[random.IntN(len(filters))]))
				}
			}
			for n := 1; n < 1000; n *= 2 {
				check(fields(event.Error, fmt.Sprint("e", n)))
				for key, value := range map[string]string{"number": strconv.Itoa(n), "text": fmt.Sprint("t", n), "double": fmt.Sprint(float64(n) + 0.5)} {
					check(query.Filter{Attributes: map[string]string{key: value}})
				}
			}
		})
	}
}

// A query for a rare value reads the records that have it and no others, whether it is in a column, a number or a string.
func TestRareValueReadsItsRecords(t *testing.T) {
	s := openStore(t, Settings{})
	for i := 0; i < 10_000; i += 500 {
		write(t, s, often(i, 500))
	}
	check := func() {
		one := s.all()[0]
		r, err := one.reader(t.Context())
		require.NoError(t, err)
		defer s.rest(r)
		for _, f := range []query.Filter{
			fields(event.Error, "e2"),
			{Attributes: map[string]string{"number": "2"}},
			{Attributes: map[string]string{"text": "t2"}},
			{Attributes: map[string]string{"double": "2.5"}},
			{Attributes: map[string]string{"double": "2.5"}, Severity: plog.SeverityNumberInfo},
		} {
			p, err := r.plan(&f)
			require.NoError(t, err)
			records := 0
			for i := range p.parts {
				require.NotNil(t, p.parts[i].records, "%+v", f)
				records += len(p.parts[i].records)
			}
			assert.InDelta(t, 10, records, 3, "%+v: a few by chance", f)
		}
	}
	check()
	w := s.writer
	s.writer = nil
	s.seal(w)
	s.settled()
	require.NotNil(t, s.all()[0].digest)
	check()
}

// An event that has a text twice is found once, in the file that is being written and in a sealed one.
func TestSameTextTwice(t *testing.T) {
	s := openStore(t, Settings{})
	logs := storetest.Logs(0, 1)
	lr := logs.ResourceLogs().At(1).ScopeLogs().At(0).LogRecords().At(0)
	lr.Attributes().PutStr("first", "same")
	lr.Attributes().PutStr("second", "same")
	write(t, s, logs)
	for range 2 {
		assert.Len(t, everything(t, s, query.Events{Filter: query.Filter{Attributes: map[string]string{"first": "same"}}, Limit: 10}), 1)
		if w := s.writer; w != nil {
			s.writer = nil
			s.seal(w)
			s.settled()
		}
	}
}

// A value without room in the index of rare values is reported as possibly elsewhere.
func TestRareIsBounded(t *testing.T) {
	var x rare
	random := rand.New(rand.NewPCG(1, 2))
	hashes := map[uint64][]uint32{}
	refused := map[uint64]bool{}
	add := func(hash uint64, record uint32) {
		if x.add(hash, record) {
			hashes[hash] = append(hashes[hash], record)
		} else {
			refused[hash] = true
		}
	}
	frequent := random.Uint64()
	for record := range uint32(maxRare / 3) {
		add(frequent, record)
		for range 4 {
			add(random.Uint64(), record)
		}
	}
	add(random.Uint64(), 1<<recordBits)
	assert.Equal(t, maxRare, x.count)
	assert.True(t, refused[frequent])
	h := x.head()
	rows := map[int64][]byte{}
	require.NoError(t, x.rows(h, func(bucket int64, records []byte) error {
		rows[bucket] = slices.Clone(records)
		return nil
	}))
	parsed, err := parseRareHead(h.bytes())
	require.NoError(t, err)
	assert.Equal(t, h, parsed)
	for hash := range refused {
		require.True(t, h.hasMore(hash))
	}
	checked := 0
	for hash, want := range hashes {
		if checked++; checked > 1000 && hash != frequent {
			continue
		}
		got, err := parseRare(rows[h.bucket(hash)], hash)
		require.NoError(t, err)
		for _, record := range want {
			require.Contains(t, got, record)
		}
		require.LessOrEqual(t, len(got), len(want)+2, "others are there by chance")
		if checked < 10 || hash == frequent {
			require.Equal(t, want, findRare(x.parts, hash))
		}
	}
	for _, damaged := range [][]byte{{1}, {1, 2}, {1, 2, 0xff}} {
		_, err := parseRare(damaged, 0)
		assert.Error(t, err)
	}
}

// Unions and intersections of places are those of sets.
func TestPlaces(t *testing.T) {
	const blocks = 4
	random := rand.New(rand.NewPCG(3, 4))
	some := func() (p places) {
		for number := range uint32(blocks) {
			if random.IntN(3) == 0 {
				p.blocks = append(p.blocks, number)
			}
			for range random.IntN(3) {
				p.records = append(p.records, number*blockSize+random.Uint32N(blockSize/64))
			}
		}
		slices.Sort(p.records)
		p.records = slices.Compact(p.records)
		return p
	}
	var all []block
	for number := range uint32(blocks) {
		all = append(all, block{number: number})
	}
	for range 100 {
		p, q := some(), some()
		and, or := p.and(q), p.or(q)
		for record := range uint32(blocks * blockSize) {
			require.Equal(t, p.has(record) && q.has(record), and.has(record))
			require.Equal(t, p.has(record) || q.has(record), or.has(record))
		}
		var parts places
		for _, one := range or.parts(all) {
			if one.records == nil {
				parts.blocks = append(parts.blocks, one.number)
			}
			parts.records = append(parts.records, one.records...)
		}
		for record := range uint32(blocks * blockSize) {
			require.Equal(t, or.has(record), parts.has(record))
		}
	}
}
