// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"zombiezen.com/go/sqlite"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/event"
	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/query"
)

// plan is how one file answers a query: the places that may have matching records, and the condition that they must fulfil.
type plan struct {
	*reader
	parts     []part
	condition string
	// attributes are those that the decoded event has to have.
	attributes map[string]string
	// warnings says that the index of warnings has all matching records.
	warnings bool
	// since is included, until is not.
	since, until int64
}

// nanoseconds converts a time to the form in the store. It limits times to the range of int64.
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

// plan finds the blocks. The text of a query never becomes part of an SQL statement: the condition has only numbers.
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
	for _, part := range b.choose(blocks) {
		if part.latest >= p.since && (part.earliest < p.until || f.Until.IsZero()) {
			p.parts = append(p.parts, part)
		}
	}
	return p, nil
}

// builder collects conditions, and the places that all of them leave.
type builder struct {
	*reader
	conditions []string
	left       places
	limited    bool
	none       bool
	err        error
}

func (b *builder) choose(blocks []block) []part {
	if b.limited {
		return b.left.parts(blocks)
	}
	all := make([]part, len(blocks))
	for i, one := range blocks {
		all[i] = part{block: one}
	}
	return all
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

// maxSeverity is the maximum of OTLP. A log record with a higher severity is found by its other values.
const maxSeverity = 24

// equal requires a value in one of some columns.
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

// in requires one of some values of a column.
func (b *builder) in(column int, values []int64) {
	if len(values) == 0 {
		b.none = true
		return
	}
	b.conditions = append(b.conditions, oneOf(column, values))
	b.limit(values, column)
}

// attribute requires a value of an attribute: it leaves the shapes and resources that may have it, and the places of the value.
func (b *builder) attribute(key, value string) {
	a := attributePlaces{builder: b, text: value, hashes: map[uint64]bool{}}
	var wantedOrigins, wantedShapes []int64
	if b.slice.mayHaveResource(key, value) {
		origins, err := b.allOrigins()
		if err != nil {
			b.err = err
			return
		}
		for i, o := range origins {
			if v, ok := o.Resource.Attributes().Get(key); ok && v.AsString() == value {
				wantedOrigins = append(wantedOrigins, int64(i+1))
				a.column(columnOrigin, int64(i+1))
			}
		}
	}
	shapes, err := b.allShapes()
	if err != nil {
		b.err = err
		return
	}
	for _, s := range shapes {
		if found := s.find(key); found != nil {
			wantedShapes = append(wantedShapes, s.id)
			a.shape(s, found)
		}
	}
	a.byFilters()
	if b.err != nil {
		return
	}
	var alternatives []string
	for column, list := range map[int][]int64{columnShape: wantedShapes, columnOrigin: wantedOrigins} {
		if len(list) > 0 {
			alternatives = append(alternatives, oneOf(column, list))
		}
	}
	if len(alternatives) == 0 {
		b.none = true
		return
	}
	b.conditions = append(b.conditions, "("+strings.Join(alternatives, " OR ")+")")
	b.leave(a.places)
}

// attributePlaces collects the places in which an attribute may have a value.
type attributePlaces struct {
	*builder
	text   string
	places places
	// hashes are those already looked up; true says that filters of blocks may have the hash.
	hashes map[uint64]bool
	// number is the number of the text in the file, if it has one.
	number       int64
	known, asked bool
}

// column adds the places in which a value of a column occurs.
func (a *attributePlaces) column(column int, value int64) {
	found, err := a.lookup(column, value)
	a.err = errors.Join(a.err, err)
	a.places = a.places.or(found)
}

// shape adds the places in which records of a shape may have the value.
func (a *attributePlaces) shape(s *shape, found *attribute) {
	switch {
	case found.column != inRest && found.kind == pcommon.ValueTypeInt:
		if n, err := strconv.ParseInt(a.text, 10, 64); err == nil {
			a.column(found.column, n)
		}
	case found.column != inRest:
		a.numbered(found.column)
	default:
		list, others := found.hashesOf(a.text)
		for _, hash := range list {
			a.hash(hash)
		}
		if others {
			a.column(columnShape, s.id)
		}
		if found.kind == pcommon.ValueTypeStr {
			a.numbered(columnAny)
		}
	}
}

// numbered adds the places in which the number of the text occurs.
func (a *attributePlaces) numbered(column int) {
	if !a.asked {
		var err error
		a.asked = true
		a.number, a.known, err = a.lookups.number(a.text)
		a.err = errors.Join(a.err, err)
	}
	if a.known {
		a.column(column, a.number)
	}
}

// hash adds the records of a hash from the index of rare values.
func (a *attributePlaces) hash(hash uint64) {
	if _, ok := a.hashes[hash]; ok {
		return
	}
	records, more, err := a.rarely(hash)
	a.err = errors.Join(a.err, err)
	a.hashes[hash] = more
	a.places = a.places.or(places{records: records})
}

// byFilters adds the blocks whose filter may have one of the hashes.
func (a *attributePlaces) byFilters() {
	maps.DeleteFunc(a.hashes, func(_ uint64, more bool) bool { return !more })
	if len(a.hashes) == 0 || a.err != nil {
		return
	}
	filters, err := a.allBlooms()
	if err != nil {
		a.err = err
		return
	}
	var list []uint32
	for number := range len(filters) / bloomBytes {
		filter := filters[number*bloomBytes:][:bloomBytes]
		for hash := range a.hashes {
			if bloomHas(filter, hash) {
				list = append(list, uint32(number))
				break
			}
		}
	}
	a.places = a.places.or(places{blocks: list})
}

func oneOf(column int, values []int64) string {
	return columnNames[column].name + " IN (" + strings.Trim(strings.ReplaceAll(fmt.Sprint(values), " ", ","), "[]") + ")"
}

// limit leaves the places in which one of the columns may have one of the values.
func (b *builder) limit(values []int64, columns ...int) {
	var found places
	for _, column := range columns {
		for _, value := range values {
			more, err := b.lookup(column, value)
			if err != nil {
				b.err = err
				return
			}
			found = found.or(more)
		}
	}
	b.leave(found)
}

// leave removes the places that are not among these.
func (b *builder) leave(among places) {
	if b.limited {
		among = b.left.and(among)
	}
	b.left, b.limited = among, true
}

// lookup returns the places of a value of a column.
func (r *reader) lookup(column int, value int64) (places, error) {
	if isPosted(column) { // of many values that are asked for, few occur
		blocks, err := r.posted(column, value)
		if err != nil || len(blocks) == 0 || len(blocks) > rareRecords {
			return places{blocks: blocks}, err
		}
	}
	records, more, err := r.rarely(hashOfPlace(column, value))
	if err != nil || !more {
		return places{records: records}, err
	}
	blocks, err := r.posted(column, value)
	return places{blocks, records}, err
}

// matches reports whether an event has these attributes, compared as text.
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

// mayMatch is matches without decoding the event, which most records do not need. It reads only the necessary columns of the current
// record of the statement.
func (p *plan) mayMatch(stmt *statement, r *record) (bool, error) {
	if len(p.attributes) == 0 {
		return true, nil
	}
	r.readColumn(stmt.Stmt, columnShape)
	r.readColumn(stmt.Stmt, columnOrigin)
	r.readRest(stmt.Stmt)
	for key, want := range p.attributes {
		if ok, err := p.has(stmt, r, key, want); err != nil || !ok {
			return false, err
		}
	}
	return true, nil
}

// has reports whether an attribute of a record is this text. If the record has no such key, its resource is asked.
func (p *plan) has(stmt *statement, r *record, key, want string) (bool, error) {
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
		if a.column != inRest {
			r.readColumn(stmt.Stmt, a.column)
		}
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
	if err != nil {
		return nil, err
	}
	return &statement{stmt, p}, nil
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

// part calls a function for each record of a part from one sequence number to another that fulfils the condition.
func (s *statement) part(b *part, from, to int64, row func() error) error {
	first := s.plan.slice.first
	if b.records == nil {
		begin := first + int64(b.number)*blockSize
		return s.between(max(begin, from), min(begin+blockSize-1, to), row)
	}
	for _, record := range b.records {
		if at := first + int64(record); from <= at && at <= to {
			if err := s.between(at, at, row); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *statement) between(from, to int64, row func() error) error {
	if err := s.Reset(); err != nil {
		return err
	}
	s.BindInt64(1, from)
	s.BindInt64(2, to)
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
