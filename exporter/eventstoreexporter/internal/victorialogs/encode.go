// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package victorialogs

import (
	"encoding/base64"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/event"
)

// A log entry of VictoriaLogs is a flat list of texts. So an entry has, beside the attributes of the event, the fields below: those that
// filters use, and the whole event with its types and resource.
const (
	prefix        = "event_store."
	fieldSequence = prefix + "sequence"
	fieldProgram  = prefix + "program"
	fieldOTLP     = prefix + "otlp"
	// Those of OTLP.
	fieldType     = "event_name"
	fieldSeverity = "severity_number"
)

// fieldNames are the names of the fields that filters use.
var fieldNames = [event.Fields]string{
	event.PID: prefix + "pid", event.Executable: prefix + "command", event.Unit: prefix + "unit", event.Container: prefix + "container",
	event.ClientAddress: prefix + "client_address", event.ClientPort: prefix + "client_port",
	event.ServerAddress: prefix + "server_address", event.ServerPort: prefix + "server_port",
	event.Error: prefix + "error", event.Reason: prefix + "reason", event.Cookie: prefix + "cookie",
}

// maxName is the maximum length of the name of a field: VictoriaLogs drops an entry with a longer one.
const maxName = 128

var reserved = []string{fieldType, fieldSeverity, "severity_text", "trace_id", "span_id", "scope.name", "scope.version"}

// isField reports whether an attribute can be a field of VictoriaLogs under its own name.
func isField(name string) bool {
	return name != "" && name[0] != '_' && len(name) <= maxName && !strings.HasPrefix(name, prefix) && !slices.Contains(reserved, name)
}

// encode makes the body of a request, and returns the time of the oldest event in it. The caller holds writing.
func (s *Store) encode(logs plog.Logs) (body []byte, oldest int64, err error) {
	now := time.Now()
	s.last = max(s.last, now.UnixMicro())
	out := plog.NewLogs()
	marshaler := new(plog.ProtoMarshaler)
	for _, rl := range logs.ResourceLogs().All() {
		to := out.ResourceLogs().AppendEmpty()
		rl.Resource().CopyTo(to.Resource())
		to.Resource().Attributes().RemoveIf(func(name string, _ pcommon.Value) bool { return !isField(name) })
		for _, sl := range rl.ScopeLogs().All() {
			origin := event.Origin{Resource: rl.Resource(), ResourceSchemaURL: rl.SchemaUrl(), Scope: sl.Scope(), ScopeSchemaURL: sl.SchemaUrl()}
			list := to.ScopeLogs().AppendEmpty()
			sl.Scope().CopyTo(list.Scope())
			for _, lr := range sl.LogRecords().All() {
				whole := plog.NewLogs()
				one := origin.CopyTo(whole).AppendEmpty()
				lr.CopyTo(one)
				at := event.Time(lr, now)
				oldest = earlier(oldest, at)
				one.SetTimestamp(pcommon.Timestamp(at))
				otlp, err := marshaler.MarshalLogs(whole)
				if err != nil {
					return nil, 0, err
				}
				s.last++
				fill(list.LogRecords().AppendEmpty(), &event.Event{Sequence: s.last, Record: one, Origin: &origin}, otlp)
			}
		}
	}
	body, err = marshaler.MarshalLogs(out)
	return body, oldest, err
}

// fill makes the log record that is sent.
func fill(to plog.LogRecord, e *event.Event, otlp []byte) {
	e.Record.CopyTo(to)
	if body := e.Record.Body(); body.Type() != pcommon.ValueTypeStr {
		to.Body().SetStr(body.AsString())
	}
	attributes := to.Attributes()
	attributes.RemoveIf(func(name string, _ pcommon.Value) bool { return !isField(name) })
	attributes.PutInt(fieldSequence, e.Sequence)
	attributes.PutStr(fieldOTLP, base64.StdEncoding.EncodeToString(otlp))
	if program := event.Program(e.Record.EventName()); program != "" {
		attributes.PutStr(fieldProgram, program)
	}
	for field, value := range e.Values() {
		switch v := value.(type) {
		case int64:
			attributes.PutInt(fieldNames[field], v)
		case string:
			attributes.PutStr(fieldNames[field], v)
		}
	}
}

var errEntry = errors.New("an entry of VictoriaLogs has no event")

// decode reads what encode has written.
func decode(row map[string]string) (event.Event, error) {
	sequence, err := strconv.ParseInt(row[fieldSequence], 10, 64)
	if err != nil {
		return event.Event{}, errors.Join(errEntry, err)
	}
	otlp, err := base64.StdEncoding.DecodeString(row[fieldOTLP])
	if err != nil {
		return event.Event{}, errors.Join(errEntry, err)
	}
	logs, err := new(plog.ProtoUnmarshaler).UnmarshalLogs(otlp)
	if err != nil || logs.LogRecordCount() != 1 {
		return event.Event{}, errors.Join(errEntry, err)
	}
	rl := logs.ResourceLogs().At(0)
	sl := rl.ScopeLogs().At(0)
	return event.Event{Sequence: sequence, Record: sl.LogRecords().At(0), Origin: &event.Origin{
		Resource: rl.Resource(), ResourceSchemaURL: rl.SchemaUrl(), Scope: sl.Scope(), ScopeSchemaURL: sl.SchemaUrl(),
	}}, nil
}
