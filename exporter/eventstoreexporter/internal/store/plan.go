// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"zombiezen.com/go/sqlite"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/event"
	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/query"
)

// plan is how one file answers a query: the blocks that may have what is wanted, and the condition for their records.
type plan struct {
	*reader
	blocks    []block
	condition string
	// attributes must be compared with those of the decoded event.
	attributes map[string]string
	// warnings is whether the index of warnings has all that is wanted.
	warnings bool
	// since is included, until is not.
	since, until int64
}

// nanoseconds returns a time as the store has it. The ends of time are those of int64.
func nanoseconds(t time.Time, zero int64) int64 {
	switch {
	case t.IsZero():
		return zero
	case t.Before(time.Unix(0, math.MinInt64)):
		return math.MinInt64
	case t.After(time.Unix(0, math.MaxInt64)):
		return math.MaxInt64
	default:
		return t.UnixNano()
	}
}

// plan finds the blocks. Text of the query never becomes text of SQL: the condition has numbers only.
func (r *reader) plan(f *query.Filter) (*plan, error) {
	p := &plan{
		reader: r, attributes: f.Attributes,
		since: nanoseconds(f.Since, math.MinInt64), until: nanoseconds(f.Until, math.MaxInt64),
	}
	p.warnings = f.Severity >= plog.SeverityNumberWarn
	b := builder{reader: r}
	b.filter(f)
	if b.err != nil || b.none {
		return p, b.err
	}
	blocks, err := r.allBlocks()
	if err != nil {
		return nil, err
	}
	if !f.Since.IsZero() {
		b.conditions = append(b.conditions, fmt.Sprintf("time >= %d", p.since))
	}
	if !f.Until.IsZero() {
		b.conditions = append(b.conditions, fmt.Sprintf("time < %d", p.until))
	}
	p.condition = strings.Join(append(b.conditions, "sequence BETWEEN ? AND ?"), " AND ")
	for _, block := range b.choose(blocks) {
		if block.latest >= p.since && (block.earliest < p.until || f.Until.IsZero()) {
			p.blocks = append(p.blocks, block)
		}
	}
	return p, nil
}

// builder collects conditions and the blocks that each leaves.
type builder struct {
	*reader
	conditions []string
	list       []uint32
	limited    bool
	none       bool
	err        error
}

func (b *builder) choose(blocks []block) []block {
	if !b.limited {
		return blocks
	}
	chosen := make([]block, 0, len(b.list))
	for _, number := range b.list {
		if int(number) < len(blocks) {
			chosen = append(chosen, blocks[number])
		}
	}
	return chosen
}

func (b *builder) filter(f *query.Filter) {
	if len(f.Types) > 0 {
		b.types(f.Types)
	}
	for field, value := range f.Fields {
		b.equal(value, int(field))
	}
	if f.Address != nil {
		b.equal(*f.Address, int(event.ClientAddress), int(event.ServerAddress))
	}
	if f.Port != nil {
		b.equal(*f.Port, int(event.ClientPort), int(event.ServerPort))
	}
	if f.Severity > 0 {
		var values []int64
		for severity := int64(f.Severity); severity <= maxSeverity; severity++ {
			values = append(values, severity)
		}
		b.limit(values, columnSeverity)
		if f.Severity > plog.SeverityNumberWarn { // the index of warnings has to be seen in the condition
			b.conditions = append(b.conditions, fmt.Sprintf("severity >= %d", plog.SeverityNumberWarn))
		}
		b.conditions = append(b.conditions, fmt.Sprintf("severity >= %d", f.Severity))
	}
	for key, value := range f.Attributes {
		b.attribute(key, value)
	}
}

// maxSeverity is that of OTLP. A log record with a higher one is found by its other values.
const maxSeverity = 24

// equal asks for a value in one of some columns.
func (b *builder) equal(value any, columns ...int) {
	number, ok := value.(int64)
	if text, isText := value.(string); isText {
		var err error
		if number, ok, err = b.number(text); err != nil {
			b.err = err
			return
		}
	}
	if !ok {
		b.none = true
		return
	}
	alternatives := make([]string, len(columns))
	for i, column := range columns {
		alternatives[i] = fmt.Sprintf("%s = %d", columnNames[column].name, number)
	}
	b.conditions = append(b.conditions, "("+strings.Join(alternatives, " OR ")+")")
	b.limit([]int64{number}, columns...)
}

func (b *builder) types(types []query.Type) {
	known, err := b.allTypes()
	if err != nil {
		b.err = err
		return
	}
	var wanted []int64
	for _, id := range known {
		name, err := b.text(id)
		if err != nil {
			b.err = err
			return
		}
		for _, t := range types {
			if t.Matches(name) {
				wanted = append(wanted, id)
				break
			}
		}
	}
	b.in(columnType, wanted)
}

// in asks for one of some values of a column.
func (b *builder) in(column int, values []int64) {
	if len(values) == 0 {
		b.none = true
		return
	}
	b.conditions = append(b.conditions, oneOf(column, values))
	b.limit(values, column)
}

// attribute leaves the records that may have a value of an attribute, by their shape or their resource, and the blocks that do.
func (b *builder) attribute(key, value string) {
	origins, err := b.allOrigins()
	if err != nil {
		b.err = err
		return
	}
	var wantedOrigins, wantedShapes []int64
	var blocks []uint32
	for i, o := range origins {
		if v, ok := o.Resource.Attributes().Get(key); ok && v.AsString() == value {
			wantedOrigins = append(wantedOrigins, int64(i+1))
			blocks = b.with(blocks, columnOrigin, int64(i+1))
		}
	}
	shapes, err := b.allShapes()
	if err != nil {
		b.err = err
		return
	}
	number, known, err := b.number(value)
	if err != nil {
		b.err = err
		return
	}
	hashes := map[uint64]bool{}
	for _, s := range shapes {
		a := s.find(key)
		if a == nil {
			continue
		}
		wantedShapes = append(wantedShapes, s.id)
		switch {
		case a.column != inRest && a.kind == pcommon.ValueTypeInt:
			if n, err := strconv.ParseInt(value, 10, 64); err == nil {
				blocks = b.with(blocks, a.column, n)
			}
		case a.column != inRest:
			if known {
				blocks = b.with(blocks, a.column, number)
			}
		default:
			list, others := a.hashesOf(value)
			for _, hash := range list {
				hashes[hash] = true
			}
			if others {
				blocks = b.with(blocks, columnShape, s.id)
			}
			if known && a.kind == pcommon.ValueTypeStr {
				blocks = b.with(blocks, columnAny, number)
			}
		}
	}
	blocks = b.byHash(blocks, slices.Collect(maps.Keys(hashes)))
	if b.err != nil {
		return
	}
	var alternatives []string
	for column, list := range map[int][]int64{columnShape: wantedShapes, columnOrigin: wantedOrigins} {
		if len(list) > 0 {
			alternatives = append(alternatives, oneOf(column, list))
		}
	}
	if len(alternatives) == 0 || len(blocks) == 0 {
		b.none = true
		return
	}
	b.conditions = append(b.conditions, "("+strings.Join(alternatives, " OR ")+")")
	b.leave(blocks)
}

// with adds the blocks in which a value of a column occurs.
func (b *builder) with(blocks []uint32, column int, value int64) []uint32 {
	list, err := b.lookup(column, value)
	b.err = errors.Join(b.err, err)
	return union(blocks, list)
}

// byHash adds the blocks whose filter has one of some hashes.
func (b *builder) byHash(blocks []uint32, hashes []uint64) []uint32 {
	if len(hashes) == 0 {
		return blocks
	}
	filters, err := b.allBlooms()
	if err != nil {
		b.err = errors.Join(b.err, err)
		return nil
	}
	var list []uint32
	for number := range len(filters) / bloomBytes {
		filter := filters[number*bloomBytes:][:bloomBytes]
		if slices.ContainsFunc(hashes, func(hash uint64) bool { return bloomHas(filter, hash) }) {
			list = append(list, uint32(number))
		}
	}
	return union(blocks, list)
}

func oneOf(column int, values []int64) string {
	return columnNames[column].name + " IN (" + strings.Trim(strings.ReplaceAll(fmt.Sprint(values), " ", ","), "[]") + ")"
}

// limit leaves the blocks that have one of some values in one of some columns.
func (b *builder) limit(values []int64, columns ...int) {
	var list []uint32
	for _, column := range columns {
		for _, value := range values {
			blocks, err := b.lookup(column, value)
			if err != nil {
				b.err = err
				return
			}
			list = union(list, blocks)
		}
	}
	b.leave(list)
}

// leave leaves the blocks of a list.
func (b *builder) leave(list []uint32) {
	if b.limited {
		list = intersection(b.list, list)
	}
	b.list, b.limited = list, true
}

// matches compares attributes of an event with those that are wanted, as text.
func matches(e *event.Event, attributes map[string]string) bool {
	for key, want := range attributes {
		v, ok := e.Record.Attributes().Get(key)
		if !ok {
			if v, ok = e.Origin.Resource.Attributes().Get(key); !ok {
				return false
			}
		}
		if v.AsString() != want {
			return false
		}
	}
	return true
}

// mayMatch is what matches is, without an event: of most records that are read, none needs to be made.
func (p *plan) mayMatch(r *record) (bool, error) {
	for key, want := range p.attributes {
		if ok, err := p.has(r, key, want); err != nil || !ok {
			return false, err
		}
	}
	return true, nil
}

// has is whether an attribute of a record or, if that has none of this key, of its resource is this text.
func (p *plan) has(r *record, key, want string) (bool, error) {
	s, err := p.shape(r.values[columnShape])
	if err != nil {
		return false, err
	}
	isOwn := false
	rest := values{rest: r.rest, text: p.text}
	for i := range s.attributes {
		a := &s.attributes[i]
		if a.key != key || a.isOther {
			if a.column == inRest {
				rest.skip(a.kind)
			}
			continue
		}
		isOwn = true
		text, err := p.textOf(r, a, &rest)
		if err != nil || text == want {
			return err == nil, err
		}
	}
	if isOwn || rest.err != nil {
		return false, rest.err
	}
	o, err := p.origin(r.values[columnOrigin])
	if err != nil {
		return false, err
	}
	v, ok := o.Resource.Attributes().Get(key)
	return ok && v.AsString() == want, nil
}

// textOf returns an attribute of a record as text.
func (p *plan) textOf(r *record, a *attribute, rest *values) (string, error) {
	switch {
	case a.column != inRest && a.kind == pcommon.ValueTypeInt:
		return strconv.FormatInt(r.values[a.column], 10), nil
	case a.column != inRest:
		return p.text(r.values[a.column])
	case a.kind == pcommon.ValueTypeStr:
		return rest.string(), rest.err
	case a.kind == pcommon.ValueTypeInt:
		return strconv.FormatInt(rest.varint(), 10), rest.err
	default:
		v := pcommon.NewValueEmpty()
		rest.value(a.kind, v)
		return v.AsString(), rest.err
	}
}

// statement is a query for the records of one block.
type statement struct {
	*sqlite.Stmt
	plan *plan
}

func (p *plan) prepare(columns, order string) (*statement, error) {
	stmt, _, err := p.conn.PrepareTransient("SELECT " + columns + " FROM records WHERE " + p.condition + order)
	return &statement{stmt, p}, err
}

// byWarnings calls a function for each record from one sequence number to another, which the index of warnings finds.
func (p *plan) byWarnings(columns string, from, to int64, row func(stmt *statement) error) error {
	condition := strings.Replace(p.condition, "sequence BETWEEN", "+sequence BETWEEN", 1)
	stmt, _, err := p.conn.PrepareTransient("SELECT " + columns + " FROM records INDEXED BY warnings WHERE " + condition)
	if err != nil {
		return err
	}
	s := &statement{stmt, p}
	stmt.BindInt64(1, max(p.slice.first, from))
	stmt.BindInt64(2, to)
	for {
		found, err := stmt.Step()
		if err == nil && found {
			err = row(s)
		}
		if err != nil || !found {
			return errors.Join(err, stmt.Finalize())
		}
	}
}

// block calls a function for each record of a block from one sequence number to another that fulfils the condition.
func (s *statement) block(b block, from, to int64, row func() error) error {
	if err := s.Reset(); err != nil {
		return err
	}
	first := s.plan.slice.first + int64(b.number)*blockSize
	s.BindInt64(1, max(first, from))
	s.BindInt64(2, min(first+blockSize-1, to))
	for {
		found, err := s.Step()
		if err != nil || !found {
			return errors.Join(err, s.Reset())
		}
		if err := row(); err != nil {
			return err
		}
	}
}
