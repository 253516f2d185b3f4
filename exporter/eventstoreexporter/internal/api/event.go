// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/event"
)

// Event is an event in JSON. What it is found by has the names of the parameters.
type Event struct {
	Time       time.Time       `json:"time" doc:"When it happened."`
	Type       string          `json:"type" doc:"Name of the event."`
	Severity   string          `json:"severity,omitempty"`
	Body       string          `json:"body,omitempty" doc:"One line for people."`
	PID        *int64          `json:"pid,omitempty"`
	Command    string          `json:"command,omitempty"`
	Unit       string          `json:"unit,omitempty"`
	Container  string          `json:"container,omitempty"`
	Address    string          `json:"address,omitempty" doc:"Address of the server or destination."`
	Port       *int64          `json:"port,omitempty" doc:"Port of the server or destination."`
	Error      string          `json:"error,omitempty"`
	Reason     string          `json:"reason,omitempty"`
	Attributes json.RawMessage `json:"attributes" doc:"All attributes of the log record."`
	Resource   json.RawMessage `json:"resource" doc:"Attributes of the resource."`
	Sequence   int64           `json:"sequence" doc:"Number in the order of arrival."`
}

func makeEvent(e *event.Event) *Event {
	values := e.Values()
	lr := e.Record
	return &Event{
		Time: lr.Timestamp().AsTime(), Type: lr.EventName(), Severity: severity(lr), Body: lr.Body().AsString(),
		PID: integer(values[event.PID]), Command: text(values[event.Executable]),
		Unit: text(values[event.Unit]), Container: text(values[event.Container]),
		Address: text(values[event.ServerAddress]), Port: integer(values[event.ServerPort]),
		Error: text(values[event.Error]), Reason: text(values[event.Reason]),
		Attributes: appendMap(nil, lr.Attributes()), Resource: appendMap(nil, e.Origin.Resource.Attributes()),
		Sequence: e.Sequence,
	}
}

func text(value any) string {
	s, _ := value.(string)
	return s
}

func integer(value any) *int64 {
	if n, ok := value.(int64); ok {
		return &n
	}
	return nil
}

func severity(lr plog.LogRecord) string {
	if lr.SeverityText() != "" {
		return lr.SeverityText()
	}
	return severityName(lr.SeverityNumber())
}

func severityName(number plog.SeverityNumber) string {
	if number == plog.SeverityNumberUnspecified {
		return ""
	}
	return number.String()
}

// appendMap appends attributes in their order, which a Go map would not keep.
func appendMap(to []byte, m pcommon.Map) []byte {
	to = append(to, '{')
	first := true
	for key, v := range m.All() {
		if !first {
			to = append(to, ',')
		}
		first = false
		to = append(appendText(to, key), ':')
		to = appendValue(to, v)
	}
	return append(to, '}')
}

func appendValue(to []byte, v pcommon.Value) []byte {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		return appendText(to, v.Str())
	case pcommon.ValueTypeInt:
		return strconv.AppendInt(to, v.Int(), 10)
	case pcommon.ValueTypeDouble:
		if d := v.Double(); !math.IsNaN(d) && !math.IsInf(d, 0) {
			text, err := json.Marshal(d)
			if err == nil {
				return append(to, text...)
			}
		}
		return appendText(to, v.AsString())
	case pcommon.ValueTypeBool:
		return strconv.AppendBool(to, v.Bool())
	case pcommon.ValueTypeBytes:
		return appendText(to, base64.StdEncoding.EncodeToString(v.Bytes().AsRaw()))
	case pcommon.ValueTypeSlice:
		to = append(to, '[')
		for i, element := range v.Slice().All() {
			if i > 0 {
				to = append(to, ',')
			}
			to = appendValue(to, element)
		}
		return append(to, ']')
	case pcommon.ValueTypeMap:
		return appendMap(to, v.Map())
	default:
		return append(to, "null"...)
	}
}

func appendText(to []byte, s string) []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(s); err != nil {
		return append(to, `""`...) // a string can always be encoded
	}
	return append(to, bytes.TrimRight(b.Bytes(), "\n")...)
}
