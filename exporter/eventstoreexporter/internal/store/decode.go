// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/event"
)

// decoder turns rows of one file into log records.
type decoder interface {
	text(number int64) (string, error)
	shape(id int64) (*shape, error)
	origin(id int64) (*event.Origin, error)
}

func readOrigin(otlp []byte) (*event.Origin, error) {
	logs, err := new(plog.ProtoUnmarshaler).UnmarshalLogs(otlp)
	if err != nil {
		return nil, err
	}
	if logs.ResourceLogs().Len() != 1 || logs.ResourceLogs().At(0).ScopeLogs().Len() != 1 {
		return nil, errors.New("a resource cannot be read")
	}
	rl := logs.ResourceLogs().At(0)
	sl := rl.ScopeLogs().At(0)
	return &event.Origin{
		Resource: rl.Resource(), ResourceSchemaURL: rl.SchemaUrl(), Scope: sl.Scope(), ScopeSchemaURL: sl.SchemaUrl(),
	}, nil
}

func decode(r *record, from decoder) (event.Event, error) {
	e := event.Event{Sequence: r.sequence, Record: plog.NewLogRecord()}
	lr := e.Record
	var err error
	if e.Origin, err = from.origin(r.values[columnOrigin]); err != nil {
		return e, err
	}
	at := r.values[columnTime]
	lr.SetTimestamp(pcommon.Timestamp(at))
	if r.isSet(columnSeverity) {
		lr.SetSeverityNumber(plog.SeverityNumber(r.values[columnSeverity]))
	}
	if r.isSet(columnType) {
		name, err := from.text(r.values[columnType])
		if err != nil {
			return e, err
		}
		lr.SetEventName(name)
	}
	if r.hasBody {
		lr.Body().SetStr(r.body)
	}
	s, err := from.shape(r.values[columnShape])
	if err != nil {
		return e, err
	}
	rest := values{rest: r.rest, text: from.text}
	attributes := lr.Attributes()
	attributes.EnsureCapacity(len(s.attributes))
	for i := range s.attributes {
		a := &s.attributes[i]
		switch {
		case a.isOther:
			other(a, &rest, at, lr)
		case a.column == inRest:
			rest.value(a.kind, attributes.PutEmpty(a.key))
		case a.kind == pcommon.ValueTypeInt:
			attributes.PutInt(a.key, r.values[a.column])
		default:
			text, err := from.text(r.values[a.column])
			if err != nil {
				return e, err
			}
			attributes.PutStr(a.key, text)
		}
	}
	return e, rest.err
}

// other reads a part of a log record that is not an attribute.
func other(a *attribute, rest *values, at int64, lr plog.LogRecord) {
	v := pcommon.NewValueEmpty()
	rest.value(a.kind, v)
	if rest.err != nil {
		return
	}
	switch a.key {
	case keyObserved:
		lr.SetObservedTimestamp(pcommon.Timestamp(at + v.Int()))
	case keySeverityText:
		lr.SetSeverityText(v.Str())
	case keyTraceID:
		var id pcommon.TraceID
		copy(id[:], v.Bytes().AsRaw())
		lr.SetTraceID(id)
	case keySpanID:
		var id pcommon.SpanID
		copy(id[:], v.Bytes().AsRaw())
		lr.SetSpanID(id)
	case keyFlags:
		lr.SetFlags(plog.LogRecordFlags(v.Int()))
	case keyBody:
		v.CopyTo(lr.Body())
	case keyDropped:
		lr.SetDroppedAttributesCount(uint32(v.Int()))
	}
}
