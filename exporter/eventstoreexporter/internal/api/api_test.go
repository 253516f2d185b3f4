// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/query"
	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/storetest"
)

func (s *server) get(path string, headers ...string) *httptest.ResponseRecorder {
	return s.send(http.MethodGet, path, "", headers...)
}

func (s *server) send(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Host = "localhost:8080"
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w
}

func decode[T any](t testing.TB, w *httptest.ResponseRecorder) T {
	t.Helper()
	require.Equal(t, http.StatusOK, w.Code, w.Body.String())
	var v T
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &v), w.Body.String())
	return v
}

func (s *server) fill(t testing.TB) {
	t.Helper()
	require.NoError(t, s.Write(t.Context(), storetest.Logs(0, 6000)))
}

func TestEvents(t *testing.T) { each(t, testEvents) }

func testEvents(t *testing.T, s *server) {
	s.fill(t)
	answer := decode[Events](t, s.get("/api/events?type=connection&error=refused&command=postgres&order=asc&limit=2"))
	require.Len(t, answer.Events, 2)
	e := answer.Events[0]
	pid, port := int64(1012), int64(443)
	assert.Equal(t, Event{
		Time: storetest.Start.Add(12 * time.Millisecond), Type: "ebpf.connection.connect", Severity: "WARN",
		Body: "postgres[1012] → 10.0.0.12:443 tcp", PID: &pid, Command: "postgres", Unit: "postgres.service",
		Address: "10.0.0.12", Port: &port, Error: "refused",
		Attributes: json.RawMessage(`{"network.transport":"tcp","network.type":"ipv4","client.address":"10.9.0.1","client.port":32774,` +
			`"server.address":"10.0.0.12","server.port":443,"ebpf.connection.role":"client","error.type":"refused","ebpf.socket.cookie":100006,` +
			`"process.pid":1012,"process.executable.name":"postgres","process.user.id":0,"thread.name":"postgres",` +
			`"process.linux.cgroup":"0::/system.slice/postgres.service","ebpf.attribution":"socket","ebpf.network.namespace":4026531840}`),
		Resource: json.RawMessage(`{}`), Sequence: e.Sequence,
	}, *e)
	assert.Equal(t, storetest.Start, answer.Oldest.UTC())
	assert.Equal(t, map[string]int64{"disk_full": 0, "error": 0}, answer.Lost)
	assert.NotEmpty(t, answer.Next)

	seen := 2
	for answer.Next != "" {
		answer = decode[Events](t, s.get("/api/events?type=connection&error=refused&order=asc&limit=50&after="+answer.Next))
		seen += len(answer.Events)
	}
	assert.Equal(t, 6000/50-1+1, seen+1-1, "each once, one a hundred of another command aside")
}

func TestFormats(t *testing.T) { each(t, testFormats) }

func testFormats(t *testing.T, s *server) {
	s.fill(t)
	const ask = "/api/events?type=packet_drop&since=2026-11-27T06:00:00Z&until=2026-11-27T06:00:01Z&order=asc&format="
	lines := strings.Split(strings.TrimSpace(s.get(ask+"text").Body.String()), "\n")
	assert.Len(t, lines, 43)
	assert.Equal(t, "2026-11-27T06:00:00.142Z WARN  ebpf.packet.drop kubelet[1019] → 10.0.3.19:443 tcp", lines[0])

	lines = strings.Split(strings.TrimSpace(s.get(ask+"ndjson").Body.String()), "\n")
	assert.Len(t, lines, 43)
	var e Event
	require.NoError(t, json.Unmarshal([]byte(lines[0]), &e))
	assert.Equal(t, "netfilter_drop", e.Reason)

	rows, err := csv.NewReader(s.get(ask + "csv").Body).ReadAll()
	require.NoError(t, err)
	assert.Len(t, rows, 44)
	assert.Equal(t, []string{
		"2026-11-27T06:00:00.142456789Z", "ebpf.packet.drop", "WARN", "kubelet[1019] → 10.0.3.19:443 tcp", "1019", "kubelet",
		"kubelet.service", "", "10.9.0.1", "32777", "10.0.3.19", "80", "", "netfilter_drop", "",
	}, rows[1])

	w := s.get(ask + "otlp&limit=10")
	logs, err := new(plog.JSONUnmarshaler).UnmarshalLogs(w.Body.Bytes())
	require.NoError(t, err)
	assert.Equal(t, 10, logs.LogRecordCount())
	assert.Contains(t, w.Header().Get("Link"), `rel="next"`)
}

// oneEvent is an event of a process with this name.
func oneEvent(name string) plog.Logs {
	logs := plog.NewLogs()
	lr := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	lr.SetTimestamp(pcommon.NewTimestampFromTime(storetest.Start))
	lr.Attributes().PutStr("process.executable.name", name)
	lr.Body().SetStr(name)
	return logs
}

// A control character in an event neither begins a line nor moves the cursor.
func TestTextIsOneLine(t *testing.T) { each(t, testTextIsOneLine) }

func testTextIsOneLine(t *testing.T, s *server) {
	logs := plog.NewLogs()
	lr := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	lr.SetTimestamp(pcommon.NewTimestampFromTime(storetest.Start))
	lr.Body().SetStr("a\nb\x1b[2Jc\u2028d\u202ee")
	require.NoError(t, s.Write(t.Context(), logs))
	assert.Equal(t, "2026-11-27T06:00:00.123Z -     - a?b?[2Jc?d?e\n", s.get("/api/events?format=text").Body.String())
}

type problem struct {
	Title  string
	Status int
	Errors []struct {
		Location, Message string
		Value             any
	}
}

func TestBadParameters(t *testing.T) { each(t, testBadParameters) }

func testBadParameters(t *testing.T, s *server) {
	s.fill(t)
	w := s.get("/api/events?pid=curl&since=yesterday&limit=0&nonsense=1&order=up&port=65536&severity=bad&format=xml&after=x&address=1.2.3.4.5&type=a*b&command=&error=a&error=b")
	assert.Equal(t, http.StatusUnprocessableEntity, w.Code)
	assert.Equal(t, "application/problem+json", w.Header().Get("Content-Type"))
	var p problem
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &p))
	var locations []string
	for _, e := range p.Errors {
		locations = append(locations, strings.TrimPrefix(e.Location, "query."))
		assert.NotEmpty(t, e.Message)
	}
	assert.ElementsMatch(t, []string{
		"pid", "since", "limit", "nonsense", "order", "port", "severity", "format", "after", "address", "type", "command", "error",
	}, locations)
	for _, path := range []string{
		"/api/events?%zz", "/api/events?a;b", "/api/events?since=1h&until=2h", "/api/summary?by=nonsense", "/api/summary?by=type,type", "/api/summary?step=0s",
		"/api/summary?since=7d&step=1s", "/api/events/stream?order=asc", "/health?x=1", "/api/programs?type=x", "/api/problems?limit=x",
		"/api/connections/summary?pid=x", "/api/connections/summary?nonsense=1", "/api/list-connections?x=1", "/api/events?attr.=x", "/api/problems?since=0s",
	} {
		w := s.get(path)
		assert.Equal(t, http.StatusUnprocessableEntity, w.Code, path)
		assert.Equal(t, "application/problem+json", w.Header().Get("Content-Type"), path)
	}
}

func TestSummary(t *testing.T) { each(t, testSummary) }

func testSummary(t *testing.T, s *server) {
	s.fill(t)
	answer := decode[Summary](t, s.get("/api/summary?by=command,error&step=1s&limit=3&type=connection"))
	assert.Equal(t, int64(6000-600-300), answer.Total)
	assert.Len(t, answer.Groups, 3)
	assert.Positive(t, answer.Left)
	assert.Nil(t, answer.Groups[0].By["error"])
	assert.Equal(t, int64(1200), answer.Groups[0].Count)
	sum := int64(0)
	for _, point := range answer.Groups[0].Counts {
		sum += point.Count
	}
	assert.Equal(t, answer.Groups[0].Count, sum)
	severities := decode[Summary](t, s.get("/api/summary?by=severity&since=30m"))
	assert.Equal(t, []any{"Info", "Warn"}, []any{severities.Groups[0].By["severity"], severities.Groups[1].By["severity"]})
}

func TestProblems(t *testing.T) { each(t, testProblems) }

func testProblems(t *testing.T, s *server) {
	assert.Equal(t, "no problems since "+now.Add(-15*time.Minute).Truncate(query.Part).Format("2006-01-02T15:04:05.000Z")+"\n",
		s.get("/api/problems?format=text").Body.String())
	s.fill(t)
	answer := decode[Problems](t, s.get("/api/problems"))
	require.NotEmpty(t, answer.Problems)
	kinds := map[string]int64{}
	for _, p := range answer.Problems {
		kinds[p.Kind] += p.Count
		require.NotNil(t, p.Sample)
		events := decode[Events](t, s.get(p.Events+"&limit=10000"))
		if p.Values["container"] != "" {
			assert.Len(t, events.Events, int(p.Count), p.Title)
		} else { // those in containers are among them
			assert.Greater(t, len(events.Events), int(p.Count), p.Title)
		}
	}
	assert.Equal(t, "connection_failed", answer.Problems[0].Kind)
	assert.Equal(t, "postgres cannot connect to 12 peers: refused", answer.Problems[0].Title)
	assert.Equal(t, 12, answer.Problems[0].Peers)
	assert.Equal(t, int64(300), kinds["packet_drop"])

	w := s.get("/api/problems?format=text&limit=2")
	require.Equal(t, http.StatusOK, w.Code)
	assert.Equal(t, "text/plain; charset=utf-8", w.Header().Get("Content-Type"))
	lines := strings.Split(strings.TrimSpace(w.Body.String()), "\n")
	require.Len(t, lines, 3)
	first := answer.Problems[0]
	assert.Equal(t, fmt.Sprintf("%s WARN  %6d× (0 before) %s", first.Last.Format("2006-01-02T15:04:05.000Z"), first.Count, first.Title), lines[0])
	assert.Equal(t, fmt.Sprintf("and %d more since %s", len(answer.Problems)-2, answer.Since.Format("2006-01-02T15:04:05.000Z")), lines[2])
	assert.Equal(t, http.StatusUnprocessableEntity, s.get("/api/problems?format=csv").Code)
}

func TestPrograms(t *testing.T) { each(t, testPrograms) }

func testPrograms(t *testing.T, s *server) {
	s.fill(t)
	logs := plog.NewLogs()
	records := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for i, state := range []string{"loading", "attached"} {
		lr := records.AppendEmpty()
		lr.SetEventName("ebpf.program.state")
		lr.SetTimestamp(pcommon.NewTimestampFromTime(storetest.Start.Add(time.Duration(i) * time.Second)))
		lr.Attributes().PutStr("ebpf.program.name", "connection")
		lr.Attributes().PutStr("ebpf.program.state", state)
		lr.Attributes().PutStr("ebpf.program.hook", "tp_btf/inet_sock_set_state")
	}
	lost := records.AppendEmpty()
	lost.SetEventName("ebpf.event.lost")
	lost.SetTimestamp(pcommon.NewTimestampFromTime(storetest.Start))
	lost.Attributes().PutStr("ebpf.program.name", "packet_drop")
	lost.Attributes().PutStr("ebpf.loss.cause", "rate_limit")
	lost.Attributes().PutInt("ebpf.loss.count", 42)
	failed := records.AppendEmpty()
	failed.SetEventName("ebpf.program.state")
	failed.SetTimestamp(pcommon.NewTimestampFromTime(storetest.Start))
	failed.Attributes().PutStr("ebpf.program.name", "oom")
	failed.Attributes().PutStr("ebpf.program.state", "failed")
	failed.Attributes().PutStr("ebpf.program.error.message", "no BTF")
	gone := records.AppendEmpty() // of an earlier run
	failed.CopyTo(gone)
	gone.SetTimestamp(pcommon.NewTimestampFromTime(storetest.Start.Add(-2 * startTime)))
	gone.Attributes().PutStr("ebpf.program.name", "gone")
	require.NoError(t, s.Write(t.Context(), logs))

	answer := decode[Programs](t, s.get("/api/programs"))
	byName := map[string]Program{}
	for _, p := range answer.Programs {
		byName[p.Name] = p
	}
	assert.Equal(t, "attached", byName["connection"].State)
	assert.Equal(t, "tp_btf/inet_sock_set_state", byName["connection"].Hook)
	assert.Equal(t, storetest.Start.Add(time.Second), byName["connection"].StateTime.UTC())
	assert.Equal(t, int64(5100), byName["connection"].Events)
	assert.Equal(t, map[string]int64{"rate_limit": 42}, byName["packet_drop"].Lost)
	assert.Equal(t, "no BTF", byName["oom"].Error)
	assert.NotContains(t, byName, "gone", "it is no longer configured")

	w := s.get("/health")
	assert.Equal(t, http.StatusServiceUnavailable, w.Code)
	assert.Contains(t, w.Body.String(), "program oom failed: no BTF")
	assert.NotContains(t, w.Body.String(), "gone")
}

// The store of a gateway has the programs of several hosts.
func TestProgramsOfHosts(t *testing.T) { each(t, testProgramsOfHosts) }

func testProgramsOfHosts(t *testing.T, s *server) {
	logs := plog.NewLogs()
	for i, host := range []string{"a", "b"} {
		rl := logs.ResourceLogs().AppendEmpty()
		rl.Resource().Attributes().PutStr([]string{"host.name", "k8s.node.name"}[i], host)
		records := rl.ScopeLogs().AppendEmpty().LogRecords()
		state := records.AppendEmpty()
		state.SetEventName("ebpf.program.state")
		state.Attributes().PutStr("ebpf.program.name", "connection")
		state.Attributes().PutStr("ebpf.program.state", "attached")
		for range 3 + i {
			records.AppendEmpty().SetEventName("ebpf.connection.connect")
		}
		lost := records.AppendEmpty()
		lost.SetEventName("ebpf.event.lost")
		lost.Attributes().PutStr("ebpf.program.name", "connection")
		lost.Attributes().PutStr("ebpf.loss.cause", "ring_full")
		lost.Attributes().PutInt("ebpf.loss.count", int64(10+i))
		for _, lr := range records.All() {
			lr.SetTimestamp(pcommon.NewTimestampFromTime(storetest.Start))
		}
	}
	require.NoError(t, s.Write(t.Context(), logs))
	answer := decode[Programs](t, s.get("/api/programs"))
	require.Len(t, answer.Programs, 2)
	for _, p := range answer.Programs {
		i := 0
		if p.Resource["k8s.node.name"] == "b" {
			i = 1
		}
		assert.Equal(t, int64(3+i), p.Events)
		assert.Equal(t, map[string]int64{"ring_full": int64(10 + i)}, p.Lost)
	}
}

func TestPredecessor(t *testing.T) { each(t, testPredecessor) }

func testPredecessor(t *testing.T, s *server) {
	s.fill(t)
	for _, w := range []*httptest.ResponseRecorder{
		s.send(http.MethodPost, "/api/connection-summary", `{"command":"curl","duration":60}`),
		s.send(http.MethodPost, "/api/connection-summary", `{"command":"curl","duration_seconds":60}`),
		s.get("/api/connections/summary?command=curl&duration=60"),
		s.get("/api/connection-summary?command=curl&duration_seconds=60"),
	} {
		count := decode[OldCount](t, w)
		assert.Equal(t, int64(1200), count.Count)
		assert.Equal(t, int64(60), count.Duration)
	}
	assert.Equal(t, int64(300), decode[OldCount](t, s.send(http.MethodPost, "/api/packet-drop-summary", `{"duration":30}`)).Count)
	assert.Equal(t, int64(0), decode[OldCount](t, s.send(http.MethodPost, "/api/connection-summary", `{"pid":4242,"duration":30}`)).Count)
	list := decode[OldList](t, s.get("/api/list-connections"))
	assert.Equal(t, 100, list.Total)
	assert.Len(t, list.Events, list.PIDs)
	assert.Equal(t, "TCP", list.Events["1298"][0].Protocol)
	assert.Equal(t, "tcp_csum", decode[OldList](t, s.send(http.MethodPost, "/api/list-packet-drops", "")).Events["1299"][0].DropReason)
	for _, body := range []string{`{"pid":"x"}`, `{"duration":1,"duration_seconds":2}`, `{"nonsense":1}`} {
		assert.Equal(t, http.StatusUnprocessableEntity, s.send(http.MethodPost, "/api/connection-summary", body).Code, body)
	}
	assert.Equal(t, http.StatusUnprocessableEntity, s.send(http.MethodPost, "/api/connection-summary?pid=1", `{}`).Code)
	assert.Equal(t, http.StatusOK, s.get("/health").Code)
}

func TestStream(t *testing.T) { each(t, testStream) }

func testStream(t *testing.T, s *server) {
	s.fill(t)
	s.settle()
	receive := func(path, lastID string) *bufio.Scanner {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, http.NoBody)
		require.NoError(t, err)
		// The stream of an event that is missing does not end by itself.
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		t.Cleanup(cancel)
		r = r.WithContext(ctx)
		if lastID != "" {
			r.Header.Set("Last-Event-ID", lastID)
		}
		response, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		t.Cleanup(func() { response.Body.Close() })
		assert.Equal(t, "text/event-stream", response.Header.Get("Content-Type"))
		return bufio.NewScanner(response.Body)
	}
	next := func(lines *bufio.Scanner) (id string, e Event) {
		for lines.Scan() {
			if after, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
				id = after
			}
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				require.NoError(t, json.Unmarshal([]byte(data), &e))
				return id, e
			}
		}
		return "", e
	}
	lines := receive("/api/events/stream?command=curl&limit=3", "")
	for _, want := range []int{5985, 5990, 5995} {
		_, e := next(lines)
		assert.Equal(t, storetest.Start.Add(time.Duration(want)*time.Millisecond), e.Time, "back-fill")
	}
	require.NoError(t, s.Write(t.Context(), storetest.Logs(6000, 20)))
	var got []int
	id := ""
	for range 4 {
		var e Event
		id, e = next(lines)
		got = append(got, int(e.Time.Sub(storetest.Start)/time.Millisecond))
	}
	slices.Sort(got)
	assert.Equal(t, []int{6000, 6005, 6010, 6015}, got)

	require.NoError(t, s.Write(t.Context(), storetest.Logs(6020, 5)))
	_, e := next(receive("/api/events/stream?command=curl", id))
	assert.Equal(t, storetest.Start.Add(6020*time.Millisecond), e.Time, "goes on where it stopped")
	_, e = next(receive("/api/events/stream?command=curl&after=1", id))
	assert.Equal(t, storetest.Start.Add(6020*time.Millisecond), e.Time, "a browser sends the address that it began with")
	_, e = next(receive("/api/events/stream?command=curl&limit=1", "-1"))
	assert.Equal(t, storetest.Start.Add(6020*time.Millisecond), e.Time, "a sequence number that no event has")

	r, err := http.NewRequestWithContext(t.Context(), http.MethodHead, s.url+"/api/events/stream?command=curl", http.NoBody)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	assert.Equal(t, "text/event-stream", response.Header.Get("Content-Type"))
	served := make(chan struct{}) // net/http ends the answer only when the handler returns
	go func() {
		defer close(served)
		w := httptest.NewRecorder()
		head := httptest.NewRequest(http.MethodHead, "/api/events/stream", http.NoBody)
		head.Host = "localhost"
		s.handler.ServeHTTP(w, head)
	}()
	select {
	case <-served:
	case <-time.After(10 * time.Second):
		t.Error("HEAD waits for events")
	}
}

func TestGuard(t *testing.T) {
	s := start(t)
	for host, want := range map[string]int{
		"localhost:8080": 200, "127.0.0.1:8080": 200, "[::1]:8080": 200, "[::1]": 200, "192.168.0.9": 200, "LOCALHOST.:8080": 200, "[fe80::1%25eth0]:80": 200,
		"evil.example": 421, "localhost.evil.example:8080": 421, "127.0.0.1.evil.example": 421, "0x7f.1": 421, "localhost..": 421, "": 421,
	} {
		r := httptest.NewRequest(http.MethodGet, "/health", http.NoBody)
		r.Host = host
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, r)
		assert.Equal(t, want, w.Code, host)
	}
	assert.Equal(t, 403, s.get("/health", "Origin", "http://evil.example").Code)
	assert.Equal(t, 200, s.get("/health", "Origin", "http://localhost:8080").Code)
	assert.Equal(t, 200, s.get("/health", "Origin", "http://LOCALHOST:8080").Code)
	for _, origin := range []string{"null", "http://localhost:9999", "http://localhost", "http://evil@localhost:8080", "file://", "localhost:8080"} {
		assert.Equal(t, 403, s.get("/health", "Origin", origin).Code, origin)
	}
	r := httptest.NewRequest(http.MethodGet, "/health", http.NoBody)
	r.Host, r.Header["Origin"] = "localhost:8080", []string{"http://localhost:8080", "http://evil.example"}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	assert.Equal(t, 403, w.Code, "one of two origins")
	assert.Equal(t, 403, s.get("/health", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors").Code)
	assert.Equal(t, 200, s.get("/health", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document").Code)
	assert.Equal(t, "same-origin", s.get("/health").Header().Get("Cross-Origin-Resource-Policy"))
}

func TestDocs(t *testing.T) {
	s := start(t)
	w := s.get("/docs")
	assert.Equal(t, 200, w.Code)
	assert.Contains(t, w.Header().Get("Content-Security-Policy"), "script-src 'self'")
	for _, path := range []string{"/docs/swagger-ui.css", "/docs/swagger-ui-bundle.js", "/docs/start.js", "/docs/favicon-32x32.png"} {
		assert.Contains(t, w.Body.String()+"/docs/start.js", path)
		w := s.get(path, "Accept-Encoding", "gzip")
		assert.Equal(t, 200, w.Code, path)
	}
	var spec struct {
		Paths map[string]map[string]struct {
			Parameters []struct{ Name string }
			Responses  map[string]any
		}
	}
	spec.Paths = nil
	w = s.get("/openapi.json")
	require.Equal(t, 200, w.Code)
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &spec))
	var names []string
	for _, p := range spec.Paths["/api/events"]["get"].Parameters {
		names = append(names, p.Name)
	}
	assert.Equal(t, []string{
		"type", "pid", "command", "container", "unit", "address", "port", "error", "reason", "cookie", "severity", "since", "until",
		"limit", "after", "order", "format",
	}, names)
	for _, path := range []string{"/health", "/api/events", "/api/events/stream", "/api/summary", "/api/problems", "/api/programs", "/api/connection-summary"} {
		assert.Contains(t, spec.Paths, path)
	}
}
