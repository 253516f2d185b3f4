// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/collector"
)

// patience is the limit for an expected result.
const patience = 20 * time.Second

// server is the collector with the event store. It has the receiver ebpf for real traffic, and otlp for events that the tests write.
type server struct {
	binary, config string
	port, otlp     int
	collector      *collector.Collector
}

// newServer starts a server with its files in a directory. It stores the events of all executables, or of some of them only. There may
// be further settings of the exporter.
func newServer(binary, directory string, executables []string, settings ...string) (*server, error) {
	s := &server{binary: binary}
	if err := collector.FreePorts(&s.port, &s.otlp); err != nil {
		return nil, err
	}
	s.config = fmt.Sprintf(`yaml:
receivers:
  ebpf: {programs: {connection: , packet_drop: , tcp: }}
  otlp: {protocols: {http: {endpoint: "localhost:%d"}}}
exporters: {event_store: {endpoint: "localhost:%d", directory: %q%s}}
service:
  telemetry: {metrics: {level: none}}
  pipelines: {logs: {receivers: [ebpf, otlp], processors: [filter], exporters: [event_store]}}
processors: {filter: {logs: {log_record: [%q]}}}`, s.otlp, s.port, directory, strings.Join(append([]string{""}, settings...), ", "), drop(executables))
	return s, s.begin()
}

// drop is the condition of the events that are not stored.
func drop(executables []string) string {
	conditions := make([]string, len(executables), len(executables)+1)
	for i, name := range executables {
		conditions[i] = fmt.Sprintf(`log.attributes["process.executable.name"] != %q`, name)
	}
	if len(conditions) == 0 {
		return "false"
	}
	return strings.Join(append(conditions, `log.event_name != "ebpf.program.state"`), " and ")
}

func (s *server) begin() (err error) {
	s.collector, err = collector.Start(collector.Command(s.binary, s.config))
	return err
}

func (s *server) kill() { s.collector.Kill() }

func (s *server) url(path string) string { return fmt.Sprintf("http://localhost:%d%s", s.port, path) }

// ask asks the API.
func (s *server) ask(t *testing.T, path string, answer any) {
	t.Helper()
	response, err := http.Get(s.url(path)) //nolint:noctx // of a test
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode, string(body))
	require.NoError(t, json.Unmarshal(body, answer))
}

// event is one of the API.
type event struct {
	Time                 time.Time
	Type, Severity, Body string
	Command, Address     string
	PID, Port, Sequence  int64
	Attributes, Resource map[string]any
}

// events returns the events that match, the newest first, when there are so many of them.
func (s *server) events(t *testing.T, parameters string, count int) []event {
	t.Helper()
	var answer struct{ Events []event }
	require.Eventually(t, func() bool {
		s.ask(t, "/api/events?limit=10000&"+parameters, &answer)
		return len(answer.Events) == count
	}, patience, 100*time.Millisecond, "%s: not %d events", parameters, count)
	return answer.Events
}

// refused makes connections that are refused, and returns their port. Each port is used once.
func refused(t *testing.T, count int) int {
	t.Helper()
	port, err := collector.FreePort()
	require.NoError(t, err)
	refusedAt(t, port, count)
	return port
}

func refusedAt(t *testing.T, port, count int) {
	t.Helper()
	for range count {
		_, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))) //nolint:noctx // it is refused at once
		require.Error(t, err)
	}
}

// connects are the parameters of the connects of this process to a port.
func connects(port int) string {
	return url.Values{"type": {"ebpf.connection.connect"}, "pid": {strconv.Itoa(os.Getpid())}, "port": {strconv.Itoa(port)}}.Encode()
}

// send sends events by OTLP.
func (s *server) send(logs plog.Logs) error {
	body, err := plogotlp.NewExportRequestFromLogs(logs).MarshalProto()
	if err != nil {
		return err
	}
	response, err := http.Post(fmt.Sprintf("http://localhost:%d/v1/logs", s.otlp), "application/x-protobuf", bytes.NewReader(body)) //nolint:noctx // of a test
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the receiver otlp answers %s", response.Status)
	}
	return nil
}
