// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/json"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/event"
)

// Event is an event in JSON. The fields that can be filtered by have the names of the parameters.
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
		Attributes: event.AppendMap(nil, lr.Attributes()), Resource: event.AppendMap(nil, e.Origin.Resource.Attributes()),
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
