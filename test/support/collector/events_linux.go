// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
)

// Event is a log record with its resource.
type Event struct {
	Name, Severity, Body string
	Time, Observed       time.Time
	Attributes, Resource map[string]any
}

// Events returns the log records of logs.
func Events(logs plog.Logs) (events []Event) {
	for _, rl := range logs.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, lr := range sl.LogRecords().All() {
				events = append(events, Event{
					Name: lr.EventName(), Severity: lr.SeverityText(), Body: lr.Body().AsString(),
					Time: lr.Timestamp().AsTime(), Observed: lr.ObservedTimestamp().AsTime(),
					Attributes: lr.Attributes().AsRaw(), Resource: rl.Resource().Attributes().AsRaw(),
				})
			}
		}
	}
	return events
}

// ReadEvents reads what the file exporter has written so far: one batch of OTLP JSON per line.
func ReadEvents(path string) (events []Event, err error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	// Ignore the last line if it is incomplete.
	text = text[:bytes.LastIndexByte(text, '\n')+1]
	for line := range bytes.Lines(text) {
		logs, err := (&plog.JSONUnmarshaler{}).UnmarshalLogs(line)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		events = append(events, Events(logs)...)
	}
	return events, nil
}

// Matching returns the events of a name with these attributes.
func Matching(events []Event, name string, attributes map[string]any) (found []Event) {
next:
	for _, e := range events {
		if e.Name != name {
			continue
		}
		for key, value := range attributes {
			if e.Attributes[key] != value {
				continue next
			}
		}
		found = append(found, e)
	}
	return found
}
