// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/danielgtaylor/huma/v2"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/event"
	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/query"
	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/store"
)

// Events is a page of events.
type Events struct {
	Events []*Event `json:"events"`
	Next   string   `json:"next,omitempty" doc:"What the parameter after takes for the following page; absent at the end."`
	About
}

const (
	typeJSON   = "application/json"
	typeNDJSON = "application/x-ndjson"
	typeText   = "text/plain; charset=utf-8"
	typeCSV    = "text/csv; charset=utf-8"
	typeSQLite = "application/vnd.sqlite3"
)

// partialHeader says why an answer is incomplete, in all formats.
const partialHeader = "Event-Store-Partial"

var contentTypes = map[string]string{
	"json": typeJSON, "ndjson": typeNDJSON, "text": typeText, "csv": typeCSV, "otlp": typeJSON, "sqlite": typeSQLite,
}

func (a *api) events() {
	op := a.operation(http.MethodGet, "/api/events", "list-events", "Find events", query.Parameters("limit", "after", "order", "format"))
	op.Description += " Formats other than json have the address of the next page in the header Link."
	content := map[string]*huma.MediaType{typeJSON: {Schema: a.schemaOf(Events{})}}
	for _, contentType := range []string{typeNDJSON, "text/plain", "text/csv"} {
		content[contentType] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}}
	}
	content[typeSQLite] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}
	op.Responses = map[string]*huma.Response{"200": {Description: "Events", Content: content}}
	getStream(a, op, a.answerEvents)
}

func (a *api) answerEvents(ctx huma.Context, r *query.Request) error {
	q := query.Events{Filter: r.Filter, Limit: r.Limit, Ascending: r.Ascending}
	if r.After != "" {
		var err error
		if q.After, err = query.ParseCursor(r.After); err != nil {
			return err
		}
	}
	var page query.Page
	var database *os.File
	noting, notes := query.WithNotes(ctx.Context())
	err := a.turn(noting, func() (err error) {
		if page, err = a.Store.Events(noting, q); err == nil && r.Format == "sqlite" {
			database, err = store.Export(ctx.Context(), a.Directory, page.Events)
		}
		return err
	})
	if err != nil {
		return err
	}
	if database != nil {
		defer database.Close()
		ctx.SetHeader("Content-Disposition", `attachment; filename="events.db"`)
	}
	ctx.SetHeader("Content-Type", contentTypes[r.Format])
	next := ""
	if page.Next != nil {
		next = page.Next.String()
		url := ctx.URL()
		values := url.Query()
		values.Set("after", next)
		url.RawQuery = values.Encode()
		ctx.SetHeader("Link", "<"+url.RequestURI()+`>; rel="next"`)
	}
	about := a.about()
	if about.Partial = notes.All(); len(about.Partial) > 0 {
		ctx.SetHeader(partialHeader, strings.Join(about.Partial, "; "))
	}
	w := bufio.NewWriter(ctx.BodyWriter())
	switch r.Format {
	case "ndjson":
		err = writeNDJSON(w, page.Events)
	case "text":
		err = writeText(w, page.Events)
	case "csv":
		err = writeCSV(w, page.Events)
	case "sqlite":
		_, err = io.Copy(w, database)
	case "otlp":
		err = writeOTLP(w, page.Events)
	default:
		err = writeJSON(w, Events{Events: makeEvents(page.Events), Next: next, About: about})
	}
	if err == nil {
		err = w.Flush()
	}
	_ = err // the client has left
	return nil
}

func makeEvents(events []event.Event) []*Event {
	list := make([]*Event, len(events))
	for i := range events {
		list[i] = makeEvent(&events[i])
	}
	return list
}

func writeJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}

func writeNDJSON(w io.Writer, events []event.Event) error {
	for i := range events {
		if err := writeJSON(w, makeEvent(&events[i])); err != nil {
			return err
		}
	}
	return nil
}

// timeFormat is RFC 3339 with all nanoseconds, so that times are aligned.
const timeFormat = "2006-01-02T15:04:05.000000000Z07:00"

// shortTime is that of lines for people, in UTC.
const shortTime = "2006-01-02T15:04:05.000Z"

// writeText writes one line per event: time, severity, event name and body.
func writeText(w *bufio.Writer, events []event.Event) error {
	for i := range events {
		if _, err := w.WriteString(line(&events[i]) + "\n"); err != nil {
			return err
		}
	}
	return nil
}

func line(e *event.Event) string {
	lr := e.Record
	parts := []string{lr.Timestamp().AsTime().UTC().Format(shortTime), pad(severity(lr), 5), pad(lr.EventName(), 0)}
	if body := lr.Body().AsString(); body != "" {
		parts = append(parts, body)
	} else {
		parts = append(parts, who(e)...)
	}
	return strings.Map(printable, strings.Join(parts, " "))
}

// who describes the owner and the peer of an event without a body.
func who(e *event.Event) []string {
	values := e.Values()
	var parts []string
	owner := text(values[event.Executable])
	if pid := integer(values[event.PID]); pid != nil {
		owner += "[" + strconv.FormatInt(*pid, 10) + "]"
	}
	for _, part := range []string{owner, text(values[event.ServerAddress]), text(values[event.Error]), text(values[event.Reason])} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return parts
}

func pad(s string, width int) string {
	if s == "" {
		s = "-"
	}
	return s + strings.Repeat(" ", max(width-len(s), 0))
}

// printable replaces control characters, which could begin a line or move a terminal's cursor.
func printable(r rune) rune {
	if unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp, unicode.Bidi_Control) {
		return '?'
	}
	return r
}

// columns are those of a CSV file.
var columns = []struct {
	name  string
	field event.Field
}{
	{"pid", event.PID},
	{"command", event.Executable},
	{"unit", event.Unit},
	{"container", event.Container},
	{"client_address", event.ClientAddress},
	{"client_port", event.ClientPort},
	{"server_address", event.ServerAddress},
	{"server_port", event.ServerPort},
	{"error", event.Error},
	{"reason", event.Reason},
	{"cookie", event.Cookie},
}

func writeCSV(w io.Writer, events []event.Event) error {
	table := csv.NewWriter(w)
	row := []string{"time", "type", "severity", "body"}
	for _, column := range columns {
		row = append(row, column.name)
	}
	if err := table.Write(row); err != nil {
		return err
	}
	for i := range events {
		lr := events[i].Record
		values := events[i].Values()
		row = append(row[:0], lr.Timestamp().AsTime().UTC().Format(timeFormat), lr.EventName(), severity(lr), lr.Body().AsString())
		for _, column := range columns {
			switch value := values[column.field].(type) {
			case int64:
				row = append(row, strconv.FormatInt(value, 10))
			case string:
				row = append(row, value)
			default:
				row = append(row, "")
			}
		}
		if err := table.Write(row); err != nil {
			return err
		}
	}
	table.Flush()
	return table.Error()
}

// writeOTLP writes one line of OTLP JSON, as the collector's file exporter does. Events of one origin that follow one another
// share their resource.
func writeOTLP(w io.Writer, events []event.Event) error {
	logs := plog.NewLogs()
	var origin *event.Origin
	var records plog.LogRecordSlice
	for i := range events {
		if e := &events[i]; i == 0 || e.Origin != origin {
			origin = e.Origin
			records = origin.CopyTo(logs)
		}
		events[i].Record.CopyTo(records.AppendEmpty())
	}
	otlp, err := new(plog.JSONMarshaler).MarshalLogs(logs)
	if err != nil {
		return err
	}
	_, err = w.Write(append(otlp, '\n'))
	return err
}

// timeOf returns a time of the store.
func timeOf(nanoseconds int64) time.Time { return time.Unix(0, nanoseconds).UTC() }
