// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package victorialogs

import (
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/event"
	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/query"
)

// own selects the entries that this exporter has written.
const own = `"` + fieldSequence + `":*`

// span is a range of time without its end; 0 means unbounded.
type span struct{ since, until int64 }

func (s span) set(form url.Values) {
	if s.since != 0 {
		form.Set("start", timeText(s.since))
	}
	if s.until != 0 {
		form.Set("end", timeText(s.until))
	}
}

// spanOf returns the times of a filter, and whether there can be events between them.
func spanOf(f *query.Filter) (span, bool) {
	var s span
	first, last := time.Unix(0, 1), time.Unix(0, math.MaxInt64) // what the server takes
	if f.Since.After(last) || !f.Until.IsZero() && !f.Until.After(first) {
		return s, false
	}
	if f.Since.After(first) {
		s.since = f.Since.UnixNano()
	}
	if !f.Until.IsZero() && f.Until.Before(last) {
		s.until = f.Until.UnixNano()
	}
	return s, s.until == 0 || s.since < s.until
}

func timeText(nanoseconds int64) string {
	return time.Unix(0, nanoseconds).UTC().Format(time.RFC3339Nano)
}

// quote quotes a text like a Go string, so that nothing in it becomes part of the query.
func quote(text string) string { return strconv.Quote(text) }

func is(field, value string) string { return quote(field) + ":=" + quote(value) }

func either(conditions ...string) string { return "(" + strings.Join(conditions, " or ") + ")" }

// condition returns a filter in LogsQL.
func condition(f *query.Filter) (string, error) {
	parts := []string{own}
	if len(f.Types) > 0 {
		var types []string
		for _, t := range f.Types {
			switch {
			case t.Program:
				types = append(types, is(fieldProgram, t.Text), is(fieldType, t.Text))
			case t.Prefix:
				types = append(types, is(fieldType, t.Text)+"*")
				if !strings.Contains(t.Text, ".") {
					types = append(types, is(fieldProgram, t.Text)+"*")
				}
			default:
				types = append(types, is(fieldType, t.Text))
			}
		}
		parts = append(parts, either(types...))
	}
	for _, field := range slices.Sorted(maps.Keys(f.Fields)) {
		parts = append(parts, is(fieldNames[field], textOf(f.Fields[field])))
	}
	if f.Address != nil {
		parts = append(parts, either(is(fieldNames[event.ClientAddress], *f.Address), is(fieldNames[event.ServerAddress], *f.Address)))
	}
	if f.Port != nil {
		port := textOf(*f.Port)
		parts = append(parts, either(is(fieldNames[event.ClientPort], port), is(fieldNames[event.ServerPort], port)))
	}
	if f.Severity > 0 {
		parts = append(parts, quote(fieldSeverity)+":>="+strconv.Itoa(int(f.Severity)))
	}
	for _, name := range slices.Sorted(maps.Keys(f.Attributes)) {
		value := f.Attributes[name]
		if !isField(name) || value == "" {
			return "", refuse(name, value)
		}
		alternatives := []string{is(name, value)}
		if number, err := strconv.ParseFloat(value, 64); err == nil { // VictoriaLogs writes numbers without an exponent
			if text := strconv.FormatFloat(number, 'f', -1, 64); text != value {
				if strings.ContainsAny(value, "e") {
					alternatives = append(alternatives, is(name, text))
				}
			}
		}
		parts = append(parts, either(alternatives...))
	}
	return strings.Join(parts, " "), nil
}

func refuse(name, value string) error {
	message := "VictoriaLogs has no field of this name"
	if value == "" {
		message = "VictoriaLogs does not distinguish an empty value from none"
	}
	return &query.RefusedError{Bad: query.Bad{Parameter: query.AttributePrefix + name, Value: value, Message: message}}
}

func textOf(value any) string {
	switch v := value.(type) {
	case int64:
		return strconv.FormatInt(v, 10)
	case string:
		return v
	default:
		return ""
	}
}
