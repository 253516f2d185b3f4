// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
)

// event is a log record with its resource.
type event struct {
	Name, Severity, Body string
	Time, Observed       time.Time
	Attributes, Resource map[string]any
}

// eventsOf returns the log records of logs.
func eventsOf(logs plog.Logs) (events []event) {
	for _, rl := range logs.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, lr := range sl.LogRecords().All() {
				events = append(events, event{
					Name: lr.EventName(), Severity: lr.SeverityText(), Body: lr.Body().AsString(),
					Time: lr.Timestamp().AsTime(), Observed: lr.ObservedTimestamp().AsTime(),
					Attributes: lr.Attributes().AsRaw(), Resource: rl.Resource().Attributes().AsRaw(),
				})
			}
		}
	}
	return events
}

// readEvents reads what the file exporter has written so far: a batch of OTLP JSON per line.
func readEvents(t *testing.T, path string) (events []event) {
	t.Helper()
	text, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil
	}
	require.NoError(t, err)
	// The last line may be half written.
	text = text[:bytes.LastIndexByte(text, '\n')+1]
	for line := range bytes.Lines(text) {
		logs, err := (&plog.JSONUnmarshaler{}).UnmarshalLogs(line)
		require.NoError(t, err)
		events = append(events, eventsOf(logs)...)
	}
	return events
}

// matching returns the events of a name with these attributes.
func matching(events []event, name string, attributes map[string]any) (found []event) {
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

// await waits until source has n events of a name with these attributes, and returns them.
func await(t *testing.T, source func() []event, n int, name string, attributes map[string]any) []event {
	t.Helper()
	var found []event
	require.Eventually(t, func() bool {
		found = matching(source(), name, attributes)
		return len(found) >= n
	}, patience, 100*time.Millisecond, "no %d events %s with %v", n, name, attributes)
	require.Len(t, found, n, "events %s with %v", name, attributes)
	return found
}
