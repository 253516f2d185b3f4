// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/event"
	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/query"
	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/storetest"
)

// hostile are texts with a meaning in SQL, LogsQL, JSON, URLs or terminals.
var hostile = []string{
	"' OR 1=1 --", "' OR '1'='1", `" OR ""="`, "1 OR 1=1", "1) OR (1=1", "'); DROP TABLE records; --", "x' UNION SELECT sql FROM sqlite_master --",
	"%", "_", "*", "a*b", "NULL", "'||(SELECT 1)||'", "char(39)", "\\'", "`", "$1", "?1", ":a", "[1]", "{}", "|", `"a" | delete *`, "*:*", "=x", "!x", "<>",
	"\x00", "a\x00b", "\xff\xfe", "\r\nX: y", "\u202e\u2028", "../../etc/passwd", "%00", "%zz", ";", "&", "#", " ", "\t", "",
	"-1", "+1", "0", "1e3", "0x10", "1.5", "9223372036854775807", "9223372036854775808", "4294967296", "-9223372036854775808", "65536", "NaN",
	"15m", "-15m", "7d", "99999d", "1ns", "300000h", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "1677-01-01T00:00:00Z", "2300-01-01T00:00:00Z",
	"2026-11-27T06:00:01Z", "2026-11-27T06:00:01.000000001+23:59", "10.0.0.1", "::ffff:10.0.0.1", "::1", "fe80::1%eth0", "010.0.0.1", "/run/a.sock",
	"curl", "connection", "ebpf.*", "asc", "json", "sqlite", "warn", "command,error", "type,type", "attr.x", "1.2.3", strings.Repeat("a,", 500),
}

// fillHostile stores events whose fields have these texts, beside usual ones.
func fillHostile(t testing.TB, s *server) {
	t.Helper()
	logs := storetest.Logs(0, usual)
	records := logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords()
	for i, text := range hostile {
		lr := records.AppendEmpty()
		lr.SetTimestamp(pcommon.NewTimestampFromTime(storetest.Start.Add(time.Duration(i) * 10 * time.Millisecond)))
		lr.SetEventName(text)
		lr.SetSeverityNumber(plog.SeverityNumber(i % 25))
		for _, key := range []string{
			"process.executable.name", "server.address", "error.type", "ebpf.drop.reason", "container.id", "x",
		} {
			lr.Attributes().PutStr(key, text)
		}
		lr.Attributes().PutStr("process.linux.cgroup", "0::/system.slice/"+strings.ReplaceAll(text, "/", "")+".service")
		lr.Attributes().PutInt("process.pid", int64(i))
		lr.Body().SetStr(text)
	}
	if err := s.Write(t.Context(), logs); err != nil {
		t.Fatal(err)
	}
}

// operations are the requests with parameters, and the names of these.
var operations = []struct {
	path    string
	filters bool
	others  []string
}{
	{"/api/events", true, []string{"limit", "after", "order", "format"}},
	{"/api/events/stream", true, []string{"limit", "after"}},
	{"/api/summary", true, []string{"by", "step", "limit"}},
	{"/api/problems", false, []string{"since", "limit", "format"}},
	{"/api/programs", false, []string{"since"}},
	{"/health", false, nil},
	{"/api/connections/summary", false, []string{"pid", "command", "duration", "duration_seconds"}},
	{"/api/packet-drop-summary", false, []string{"pid", "command", "duration", "duration_seconds"}},
	{"/api/list-connections", false, nil},
	{"/api/list-packet-drops", false, nil},
}

var filterNames = []string{
	"type", "pid", "command", "container", "unit", "address", "port", "error", "reason", "cookie", "severity", "since", "until", "attr.x",
	"attr.network.transport", "attr.container.id", "attr.ebpf.connection.bytes_sent",
}

// usual is the number of events without hostile texts.
const usual = 300

// known are all events of a store, as JSON has them.
type known struct {
	*server
	events []*knownEvent
}

type knownEvent struct {
	*Event
	attributes, resource map[string]string
}

func startKnown(t testing.TB) *known { return know(t, start(t)) }

func know(t testing.TB, s *server) *known {
	t.Helper()
	fillHostile(t, s)
	k := &known{server: s}
	for _, e := range decode[Events](t, s.get("/api/events?limit=10000&order=asc")).Events {
		k.events = append(k.events, &knownEvent{e, texts(t, e.Attributes), texts(t, e.Resource)})
	}
	if len(k.events) != usual+len(hostile) {
		t.Fatal("events are missing")
	}
	return k
}

// texts are the values of attributes as the filter attr.NAME takes them.
func texts(t testing.TB, attributes []byte) map[string]string {
	t.Helper()
	var raw map[string]any
	decoder := json.NewDecoder(bytes.NewReader(attributes))
	decoder.UseNumber()
	if err := decoder.Decode(&raw); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for key, value := range raw {
		all[key] = fmt.Sprint(value)
	}
	return all
}

// wants reports whether an event matches a parameter as docs/event-store.md describes it. It shares no code with the parser of
// parameters.
func wants(e *knownEvent, name, value string) bool {
	number, _ := strconv.ParseInt(value, 10, 64)
	has := func(want string, keys ...string) bool {
		return slices.ContainsFunc(keys, func(key string) bool { v, ok := e.attributes[key]; return ok && v == want })
	}
	switch name {
	case "type":
		return slices.ContainsFunc(strings.Split(value, ","), func(one string) bool {
			if prefix, ok := strings.CutSuffix(one, "*"); ok {
				return strings.HasPrefix(e.Type, prefix) || !strings.Contains(prefix, ".") && strings.HasPrefix(event.Program(e.Type), prefix)
			}
			return e.Type == one || !strings.Contains(one, ".") && event.Program(e.Type) == one
		})
	case "pid":
		return e.PID != nil && *e.PID == number
	case "command":
		return e.Command == value
	case "container":
		return e.Container == value
	case "unit":
		return e.Unit == value
	case "address":
		if ip, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(value, "["), "]")); err == nil {
			value = ip.Unmap().String()
		}
		return has(value, "client.address", "server.address", "source.address", "destination.address")
	case "port":
		return has(value, "client.port", "server.port", "source.port", "destination.port")
	case "error":
		return e.Error == value
	case "reason":
		return e.Reason == value
	case "cookie":
		return has(value, "ebpf.socket.cookie")
	case "severity":
		order := []string{"trace", "debug", "info", "warn", "error", "fatal"}
		rank := func(text string) int {
			return slices.IndexFunc(order, func(one string) bool { return strings.HasPrefix(strings.ToLower(text), one) })
		}
		return rank(e.Severity) >= rank(value)
	case "since":
		return !e.Time.Before(timeIn(value))
	case "until":
		return e.Time.Before(timeIn(value))
	}
	key := strings.TrimPrefix(name, "attr.")
	if has(value, key) {
		return true
	}
	v, ok := e.resource[key]
	_, own := e.attributes[key]
	return ok && !own && v == value
}

func escape(text string) string { return url.QueryEscape(text) }

func timeIn(value string) time.Time {
	for _, text := range []string{value, strings.Replace(value, " ", "+", 1)} {
		if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
			return at
		}
	}
	if days, ok := strings.CutSuffix(value, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil {
			return now.Add(-time.Duration(n) * 24 * time.Hour)
		}
	}
	d, _ := time.ParseDuration(value)
	return now.Add(-d)
}

// ask sends a request. Its client disconnects from a stream after the first events.
func (k *known) ask(path, rawQuery string) *httptest.ResponseRecorder {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	r := httptest.NewRequest(http.MethodGet, path, http.NoBody).WithContext(ctx)
	r.URL.RawQuery = rawQuery
	r.RequestURI = r.URL.RequestURI()
	r.Host = "localhost"
	w := &leaving{httptest.NewRecorder(), cancel}
	k.handler.ServeHTTP(w, r)
	return w.ResponseRecorder
}

// leaving is a client that leaves after the first flush.
type leaving struct {
	*httptest.ResponseRecorder
	leave func()
}

func (l *leaving) Flush() { l.leave() }

// check sends a request, and compares the answer with the meaning of its parameters.
func (k *known) check(t *testing.T, operation uint8, rawQuery string) {
	t.Helper()
	op := operations[int(operation)%len(operations)]
	w := k.ask(op.path, rawQuery)
	values, err := url.ParseQuery(rawQuery)
	refused := err != nil
	for name, list := range values {
		isFilter := op.filters && (slices.Contains(filterNames, name) || strings.HasPrefix(name, "attr.") && name != "attr.")
		refused = refused || len(list) > 1 || !isFilter && !slices.Contains(op.others, name)
	}
	switch {
	case w.Code == http.StatusUnprocessableEntity:
		var p problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Status != w.Code || len(p.Errors) == 0 ||
			w.Header().Get("Content-Type") != "application/problem+json" {
			t.Fatalf("%s?%s: no problem document: %s", op.path, rawQuery, w.Body)
		}
		return
	case w.Code != http.StatusOK && (op.path != "/health" || w.Code != http.StatusServiceUnavailable):
		t.Fatalf("%s?%s: %d %s", op.path, rawQuery, w.Code, w.Body)
	case refused:
		t.Fatalf("%s?%s: a parameter was ignored: %s", op.path, rawQuery, w.Body)
	}
	var wanted []*knownEvent
	if op.filters {
		for _, e := range k.events {
			if !slices.ContainsFunc(filtersOf(values), func(name string) bool { return !wants(e, name, values.Get(name)) }) {
				wanted = append(wanted, e)
			}
		}
	}
	switch op.path {
	case "/api/events":
		k.compare(t, op.path+"?"+rawQuery, w, values, wanted)
	case "/api/events/stream":
		compareStream(t, op.path+"?"+rawQuery, w, values, wanted)
	case "/api/summary":
		var s Summary
		if err := json.Unmarshal(w.Body.Bytes(), &s); err != nil || s.Total != int64(len(wanted)) {
			t.Fatalf("%s?%s: %d events instead of %d: %s", op.path, rawQuery, s.Total, len(wanted), w.Body)
		}
	}
}

func filtersOf(values url.Values) []string {
	var names []string
	for name := range values {
		if slices.Contains(filterNames, name) || strings.HasPrefix(name, "attr.") {
			names = append(names, name)
		}
	}
	return names
}

// compare compares a page with the expected events: all, up to the limit, or those after the cursor.
func (k *known) compare(t *testing.T, asked string, w *httptest.ResponseRecorder, values url.Values, wanted []*knownEvent) {
	t.Helper()
	if format := values.Get("format"); format != "" && format != "json" {
		if !slices.Contains(query.Formats, format) {
			t.Fatalf("%s: the format was ignored", asked)
		}
		return
	}
	var page Events
	if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil {
		t.Fatalf("%s: %v", asked, err)
	}
	limit := 100
	if text := values.Get("limit"); text != "" {
		limit, _ = strconv.Atoi(text)
	}
	isWanted := map[int64]bool{}
	for _, e := range wanted {
		isWanted[e.Sequence] = true
	}
	for i, e := range page.Events {
		if !isWanted[e.Sequence] {
			t.Fatalf("%s: an event that was not asked for: %+v", asked, e)
		}
		delete(isWanted, e.Sequence)
		if i > 0 && page.Events[i-1].Time.After(e.Time) != (values.Get("order") != "asc") && !page.Events[i-1].Time.Equal(e.Time) {
			t.Fatalf("%s: the order is another", asked)
		}
	}
	if len(page.Events) > limit || values.Get("after") == "" && len(page.Events) != min(limit, len(wanted)) {
		t.Fatalf("%s: %d events of %d", asked, len(page.Events), len(wanted))
	}
}

func compareStream(t *testing.T, asked string, w *httptest.ResponseRecorder, values url.Values, wanted []*knownEvent) {
	t.Helper()
	sent := 0
	lines := bufio.NewScanner(w.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		var e Event
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			t.Fatalf("%s: %v", asked, err)
		}
		if !slices.ContainsFunc(wanted, func(one *knownEvent) bool { return one.Sequence == e.Sequence }) {
			t.Fatalf("%s: an event that was not asked for: %s", asked, data)
		}
		sent++
	}
	if values.Get("after") == "" && values.Get("limit") == "" && sent != min(100, len(wanted)) {
		t.Fatalf("%s: %d events of %d", asked, sent, len(wanted))
	}
}

// Any value of a parameter has the right events as the answer, or an error that names the parameter.
func FuzzParameter(f *testing.F) {
	k := startKnown(f)
	for op := range operations {
		for name := range len(filterNames) + len(operations[op].others) + 1 {
			for i, text := range hostile {
				if op < 3 || i%7 == name%7 { // the other operations have no filters and refuse most
					f.Add(uint8(op), uint8(name), text)
				}
			}
		}
	}
	f.Fuzz(func(t *testing.T, op, name uint8, value string) {
		names := slices.Concat(filterNames, operations[int(op)%len(operations)].others, []string{"nonsense"})
		k.check(t, op, url.Values{names[int(name)%len(names)]: {value}}.Encode())
	})
}

// The same for any query string, which may have several parameters or be malformed.
func FuzzQuery(f *testing.F) {
	k := startKnown(f)
	for op := range operations {
		for _, seed := range []string{
			"", "type=connection&error=refused&limit=5", "command=curl&command=nginx", "since=1h&until=2h", "%zz=1", "a;b", "attr.=x", "pid=1&pid=", "&&&", "=",
			"type=*&order=asc&limit=3", "TYPE=connection", "type%00=x", "type=connection&nonsense", "by=command&step=1s&since=5s", "format=text&after=1.2.3",
			"after=0.0.0", "after=9223372036854775807.9223372036854775807.9223372036854775807", "after=-1.-1.-1", "limit=10000&attr.network.transport=tcp",
			"since=10s&until=6s&severity=warn", "attr.process.pid=1000", "attr.ebpf.tcp.flags=x", "command=%27%20OR%201%3D1%20--&type=*",
		} {
			f.Add(uint8(op), seed)
		}
	}
	f.Fuzz(func(t *testing.T, op uint8, rawQuery string) { k.check(t, op, rawQuery) })
}

// The same for the bodies of the predecessor's requests.
func FuzzBody(f *testing.F) {
	k := startKnown(f)
	for _, body := range []string{
		"", "{}", "null", "[]", `{"pid":1}`, `{"pid":-1}`, `{"pid":"1"}`, `{"pid":1.5}`, `{"command":"' OR 1=1 --","duration":60}`, `{"duration":1e99}`,
		`{"duration":31536001}`, `{"nonsense":1}`, `{"pid":1}{"pid":2}`, "\x00", `{"command":"\u0000\ud800"}`, `{"command":null}`, `{"pid":1,"pid":2}`,
	} {
		for path := range uint8(4) {
			f.Add(path, body)
		}
	}
	paths := []string{"/api/connection-summary", "/api/packet-drop-summary", "/api/list-connections", "/api/list-packet-drops"}
	f.Fuzz(func(t *testing.T, path uint8, body string) {
		w := k.send(http.MethodPost, paths[int(path)%len(paths)], body)
		if w.Code >= 500 || w.Code != http.StatusOK && w.Header().Get("Content-Type") != "application/problem+json" {
			t.Fatalf("%q: %d %s", body, w.Code, w.Body)
		}
	})
}
