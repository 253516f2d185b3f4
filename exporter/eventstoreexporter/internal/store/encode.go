// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/event"
)

// Each new string of a key gets a number, up to this limit per key: further strings are stored as text, because they rarely repeat. Long
// strings get no number.
const (
	maxStringsPerKey = 1024
	maxStringLength  = 128
)

// encoder turns log records into rows of one file. New rows of its other tables are written before the record.
type encoder struct {
	tables  *tables
	shapes  map[string]*shape
	origins map[string]int64
	units   map[string]int64
	// counters are indexed by key.
	counters map[string]*counter
	write    func(table string, id int64, values ...any) error

	key []byte
	row record
}

func newEncoder(t *tables, write func(table string, id int64, values ...any) error) *encoder {
	return &encoder{
		tables: t, write: write,
		shapes: map[string]*shape{}, origins: map[string]int64{}, units: map[string]int64{},
		counters: map[string]*counter{},
	}
}

// origin is the part of a record that comes from its resource.
type origin struct {
	id, container, unit int64
}

// number returns the number of a string. A new string gets one.
func (e *encoder) number(text string) (int64, error) {
	if id, ok := e.tables.numbers[text]; ok { // only the encoder adds to them
		return id, nil
	}
	id := e.tables.addString(text)
	return id, e.write("strings", id, text)
}

// appendText appends a string, as its number if it gets one.
func (e *encoder) appendText(to []byte, text string, c *counter) ([]byte, error) {
	if len(text) > maxStringLength {
		return appendString(to, text), nil
	}
	if id, ok := e.tables.numbers[text]; ok {
		return appendNumber(to, id), nil
	}
	if c.strings >= maxStringsPerKey {
		return appendString(to, text), nil
	}
	c.strings++
	id, err := e.number(text)
	return appendNumber(to, id), err
}

func (e *encoder) origin(rl plog.ResourceLogs, sl plog.ScopeLogs) (origin, error) {
	from := event.Origin{
		Resource: rl.Resource(), ResourceSchemaURL: rl.SchemaUrl(), Scope: sl.Scope(), ScopeSchemaURL: sl.SchemaUrl(),
	}
	logs := plog.NewLogs()
	from.CopyTo(logs)
	otlp, err := new(plog.ProtoMarshaler).MarshalLogs(logs)
	if err != nil {
		return origin{}, err
	}
	var o origin
	if v, ok := from.Resource.Attributes().Get(event.ContainerID); ok && v.Type() == pcommon.ValueTypeStr {
		if o.container, err = e.number(v.Str()); err != nil {
			return origin{}, err
		}
	}
	if v, ok := from.Resource.Attributes().Get(event.Cgroup); ok {
		if o.unit, err = e.unit(v.Str()); err != nil {
			return origin{}, err
		}
	}
	if id, ok := e.origins[string(otlp)]; ok {
		o.id = id
		return o, nil
	}
	stored, err := readOrigin(otlp)
	if err != nil {
		return origin{}, err
	}
	o.id = e.tables.addOrigin(stored)
	e.origins[string(otlp)] = o.id
	return o, e.write("origins", o.id, otlp, string(event.AppendMap(nil, from.Resource.Attributes())))
}

// maxUnits bounds the memory for the units of cgroups.
const maxUnits = 4096

// unit returns the number of the unit of a cgroup, or 0.
func (e *encoder) unit(cgroup string) (int64, error) {
	if id, ok := e.units[cgroup]; ok {
		return id, nil
	}
	var id int64
	if unit := event.UnitOf(cgroup); unit != "" {
		var err error
		if id, err = e.number(unit); err != nil {
			return 0, err
		}
	}
	if len(e.units) >= maxUnits {
		clear(e.units)
	}
	e.units[cgroup] = id
	return id, nil
}

func (e *encoder) shape(lr plog.LogRecord) (*shape, error) {
	key := e.key[:0]
	for k, v := range lr.Attributes().All() {
		key = appendAttribute(key, k, v.Type())
	}
	if lr.ObservedTimestamp() != 0 {
		key = appendKey(key, keyObserved, pcommon.ValueTypeInt)
	}
	if lr.SeverityText() != "" {
		key = appendKey(key, keySeverityText, pcommon.ValueTypeStr)
	}
	if !lr.TraceID().IsEmpty() {
		key = appendKey(key, keyTraceID, pcommon.ValueTypeBytes)
	}
	if !lr.SpanID().IsEmpty() {
		key = appendKey(key, keySpanID, pcommon.ValueTypeBytes)
	}
	if lr.Flags() != 0 {
		key = appendKey(key, keyFlags, pcommon.ValueTypeInt)
	}
	if kind := lr.Body().Type(); kind != pcommon.ValueTypeStr && kind != pcommon.ValueTypeEmpty {
		key = appendKey(key, keyBody, kind)
	}
	if lr.DroppedAttributesCount() != 0 {
		key = appendKey(key, keyDropped, pcommon.ValueTypeInt)
	}
	e.key = key
	if s, ok := e.shapes[string(key)]; ok {
		return s, nil
	}
	s, err := parseShape(e.tables.nextShape(), key, e.counters)
	if err != nil {
		return nil, err
	}
	e.tables.addShape(s)
	e.shapes[string(key)] = s
	return s, e.write("shapes", s.id, key)
}

// record encodes a log record. The result is valid until the next call.
func (e *encoder) record(sequence, at int64, lr plog.LogRecord, from origin) (*record, error) {
	s, err := e.shape(lr)
	if err != nil {
		return nil, err
	}
	r := &e.row
	r.sequence, r.has, r.rest = sequence, 0, r.rest[:0]
	r.set(columnTime, at)
	r.set(columnOrigin, from.id)
	r.set(columnShape, s.id)
	if severity := lr.SeverityNumber(); severity != plog.SeverityNumberUnspecified {
		r.set(columnSeverity, int64(severity))
	}
	if name := lr.EventName(); name != "" {
		id, err := e.number(name)
		if err != nil {
			return nil, err
		}
		r.set(columnType, id)
	}
	if from.container != 0 {
		r.set(int(event.Container), from.container)
	}
	if from.unit != 0 {
		r.set(int(event.Unit), from.unit)
	}
	i := 0
	for _, v := range lr.Attributes().All() {
		if err := e.attribute(r, &s.attributes[i], v); err != nil {
			return nil, err
		}
		i++
	}
	e.others(r, s.attributes[i:], at, lr)
	r.hasBody = lr.Body().Type() != pcommon.ValueTypeEmpty
	r.body = lr.Body().AsString()
	return r, nil
}

func (e *encoder) attribute(r *record, a *attribute, v pcommon.Value) error {
	switch {
	case a.kind != pcommon.ValueTypeStr && a.column == inRest:
		r.rest = appendValue(r.rest, v)
	case a.kind != pcommon.ValueTypeStr:
		r.set(a.column, v.Int())
	case a.column != inRest:
		id, err := e.number(v.Str())
		if err != nil {
			return err
		}
		r.set(a.column, id)
	default:
		if err := e.role(r, a, v.Str()); err != nil {
			return err
		}
		var err error
		r.rest, err = e.appendText(r.rest, v.Str(), a.counter)
		return err
	}
	return nil
}

func (e *encoder) role(r *record, a *attribute, text string) error {
	switch a.role {
	case noRole:
	case isContainer:
		id, err := e.number(text)
		if err != nil {
			return err
		}
		r.set(int(event.Container), id)
	case isCgroup:
		id, err := e.unit(text)
		if err != nil {
			return err
		}
		if id != 0 {
			r.set(int(event.Unit), id)
		} else {
			r.has &^= 1 << event.Unit
		}
	}
	return nil
}

// others appends the parts that are not attributes, in the order of the shape.
func (e *encoder) others(r *record, others []attribute, at int64, lr plog.LogRecord) {
	for i := range others {
		switch others[i].key {
		case keyObserved:
			r.rest = appendValue(r.rest, pcommon.NewValueInt(int64(lr.ObservedTimestamp())-at))
		case keySeverityText:
			r.rest = appendString(r.rest, lr.SeverityText())
		case keyTraceID:
			id := lr.TraceID()
			r.rest = append(append(r.rest, byte(len(id))), id[:]...)
		case keySpanID:
			id := lr.SpanID()
			r.rest = append(append(r.rest, byte(len(id))), id[:]...)
		case keyFlags:
			r.rest = appendValue(r.rest, pcommon.NewValueInt(int64(lr.Flags())))
		case keyBody:
			r.rest = appendValue(r.rest, lr.Body())
		case keyDropped:
			r.rest = appendValue(r.rest, pcommon.NewValueInt(int64(lr.DroppedAttributesCount())))
		}
	}
}
