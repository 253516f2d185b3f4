// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package terminalexporter

import (
	"time"
	"unicode"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

// form is how a line looks.
type form struct {
	// columns is the length of a line; 0: any.
	columns int
	color   bool
}

// The control sequences of the colors (ECMA-48, SGR).
const (
	plain  = "\x1b[0m"
	faint  = "\x1b[2m"
	red    = "\x1b[31m"
	yellow = "\x1b[33m"
)

// severityWidth is the length of the longest name of a severity.
const severityWidth = 5

// appendLine appends the line of a record: time of day, severity, what happened, and the container or unit if there is room for it.
func (f form) appendLine(text []byte, lr plog.LogRecord, origin string) []byte {
	at := lr.Timestamp()
	if at == 0 {
		at = lr.ObservedTimestamp()
	}
	const layout = "15:04:05.000"
	text = f.begin(text, faint)
	text = time.Unix(0, int64(at)).AppendFormat(text, layout)
	text = append(f.end(text, faint), ' ')

	name, color := severity(lr.SeverityNumber())
	text = append(f.begin(text, color), name...)
	text = f.end(text, color)
	for range severityWidth + 1 - len(name) {
		text = append(text, ' ')
	}
	used := len(layout) + 1 + severityWidth + 1

	body := lr.Body().AsString()
	if body == "" {
		body = lr.EventName()
	}
	room := -1
	if f.columns > 0 {
		room = f.columns - used
	}
	text, used = appendCut(text, body, room)
	if n := utf8.RuneCountInString(origin); origin != "" && (room < 0 || used+n+3 <= room) {
		text = append(f.begin(append(text, ' '), faint), '[')
		text, _ = appendCut(text, origin, -1)
		text = f.end(append(text, ']'), faint)
	}
	return append(text, '\n')
}

func (f form) begin(text []byte, color string) []byte {
	if f.color {
		text = append(text, color...)
	}
	return text
}

func (f form) end(text []byte, color string) []byte {
	if f.color && color != "" {
		text = append(text, plain...)
	}
	return text
}

// appendCut appends at most room characters of s; room < 0 is all of it. It returns how many those are. Names of processes and
// files may be anything: what would begin a line, move the cursor or turn the direction of the text is shown as "?".
func appendCut(text []byte, s string, room int) ([]byte, int) {
	cut := -1 // where the last character that may stay begins
	n := 0
	for _, r := range s {
		if n == room {
			return append(text[:cut], "…"...), n
		}
		cut = len(text)
		if unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp, unicode.Bidi_Control) {
			r = '?'
		}
		text = utf8.AppendRune(text, r)
		n++
	}
	return text, n
}

// severity returns the name of a severity and its color.
func severity(n plog.SeverityNumber) (name, color string) {
	switch {
	case n >= plog.SeverityNumberFatal:
		return "FATAL", red
	case n >= plog.SeverityNumberError:
		return "ERROR", red
	case n >= plog.SeverityNumberWarn:
		return "WARN", yellow
	case n >= plog.SeverityNumberInfo:
		return "INFO", ""
	case n >= plog.SeverityNumberDebug:
		return "DEBUG", faint
	case n >= plog.SeverityNumberTrace:
		return "TRACE", faint
	}
	return "", ""
}

// idLength is that of the container ids that runtimes show.
const idLength = 12

// originOf returns the systemd unit or the short id of the container of a resource, or "".
func originOf(resource pcommon.Resource) string {
	if unit, ok := resource.Attributes().Get("systemd.unit.name"); ok {
		return unit.Str()
	}
	id, _ := resource.Attributes().Get("container.id")
	return id.Str()[:min(len(id.Str()), idLength)]
}
