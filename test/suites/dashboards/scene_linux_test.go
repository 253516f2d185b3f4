// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package dashboards

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/collector"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/servers"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
)

// patience is the limit for an alert. The longest rule looks back for half a minute here.
const patience = 60 * time.Second

// labels are those of a series.
type labels map[string]string

// scene is a collector with the shipped configuration, and a Prometheus with the shipped rules, whose minutes are seconds.
type scene struct {
	prometheus, store string // URLs
	collector         *collector.Collector
	wire              *testnet.Wire // for the program packet
}

func newScene(t *testing.T) *scene {
	t.Helper()
	rules := filepath.Join(t.TempDir(), "alerts.yaml")
	require.NoError(t, os.WriteFile(rules, []byte(hasten(read(t, rulesFile))), 0o600))
	page, own, store := servers.FreePort(t), servers.FreePort(t), servers.FreePort(t)
	s := &scene{prometheus: servers.Prometheus(t, rules, page, own), store: fmt.Sprintf("http://localhost:%d", store)}
	var err error
	s.wire, err = testnet.MakeWire(testnet.WireName("d"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.wire.Close() })
	// Different from the example: ports and folders, shorter intervals, a small ring, an overhead_limit that is never reached, and programs
	// that the example leaves out.
	override := fmt.Sprintf(`yaml:
receivers:
  ebpf:
    collection_interval: 1s
    ring_buffer_size: 1MiB
    overhead_limit: %d
    programs: {syscall: {}, file_descriptor: {leak_intervals: 5}, packet: {interfaces: [%s]}}
exporters:
  prometheus: {endpoint: "localhost:%d"}
  event_store: {endpoint: "localhost:%d", directory: %q}
service:
  telemetry: {metrics: {readers: [{pull: {exporter: {prometheus: {host: localhost, port: %d}}}}]}}
`, runtime.NumCPU(), s.wire.Device, page, store, t.TempDir(), own)
	s.collector, err = collector.Start(collector.Command(testenv.Collector(t), testenv.Repository(t, "examples/dashboards.yaml"), override))
	require.NoError(t, err)
	t.Cleanup(s.collector.Kill)
	return s
}

// hasten shortens the times of rules: minutes to seconds, the day to 24 minutes.
func hasten(rules string) string {
	rules = regexp.MustCompile(`(\[|:|offset |for: )(\d+)m\b`).ReplaceAllString(rules, "${1}${2}s")
	return strings.ReplaceAll(rules, "[1d:", "[24m:")
}

// alert is the query of an alert that fires.
func alert(name string, of labels) string {
	matchers := []string{fmt.Sprintf("alertname=%q", name), `alertstate="firing"`}
	for _, key := range slices.Sorted(maps.Keys(of)) {
		matchers = append(matchers, fmt.Sprintf("%s=%q", key, of[key]))
	}
	return "ALERTS{" + strings.Join(matchers, ", ") + "}"
}

// sample is a series of a query's result.
type sample struct {
	Metric labels
	Value  [2]any
}

// query asks Prometheus.
func (s *scene) query(t *testing.T, query string) (samples []sample) {
	t.Helper()
	var answer struct{ Data struct{ Result []sample } }
	s.get(t, "/api/v1/query?query="+url.QueryEscape(query), &answer)
	return answer.Data.Result
}

func (s *scene) get(t *testing.T, path string, into any) {
	t.Helper()
	status, text := fetch(t, s.prometheus+path)
	require.Equal(t, http.StatusOK, status, "%s: %s", path, text)
	require.NoError(t, json.Unmarshal(text, into), "%s", text)
}

func fetch(t *testing.T, url string) (status int, text []byte) {
	t.Helper()
	response, err := http.Get(url)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	text, err = io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, text
}
