// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/collector"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
)

// patience is the limit for an expected result.
const patience = 20 * time.Second

// setup has the ports and files of a test's collector.
type setup struct {
	events     string // path of the file exporter's file
	store      string // directory of the event store
	storePort  int
	prometheus int
	health     int
	telemetry  int
	otlp       *otlpSink
}

func newSetup(t *testing.T) *setup {
	t.Helper()
	s := &setup{events: filepath.Join(t.TempDir(), "events.json"), store: t.TempDir(), otlp: newOTLPSink(t)}
	require.NoError(t, collector.FreePorts(&s.storePort, &s.prometheus, &s.health, &s.telemetry))
	return s
}

// override is the configuration that overrides the repository's: ports, paths, a shorter interval, and one more exporter.
func (s *setup) override() string {
	return fmt.Sprintf(`yaml:
receivers: {ebpf: {collection_interval: 1s}}
exporters:
  file: {path: %q}
  event_store: {endpoint: "localhost:%d", directory: %q}
  prometheus: {endpoint: "localhost:%d", send_timestamps: true}
  otlp_http:
    endpoint: %q
    compression: none
    sending_queue: {enabled: false}
    retry_on_failure: {enabled: false}
extensions: {healthcheckv2: {http: {endpoint: "localhost:%d"}}}
service:
  telemetry: {metrics: {readers: [{pull: {exporter: {prometheus: {host: localhost, port: %d}}}}]}}
  pipelines:
    logs: {exporters: [file, otlp_http]}
    metrics: {exporters: [prometheus, otlp_http]}
`, s.events, s.storePort, s.store, s.prometheus, s.otlp.url, s.health, s.telemetry)
}

// start starts the collector with the repository's configuration, the override, and more configurations that override both.
func (s *setup) start(t *testing.T, more ...string) *collector.Collector {
	t.Helper()
	testenv.RequireKernel(t)
	return startCommand(t, collector.Command(testenv.Collector(t), append([]string{testenv.Repository(t, "config.yaml"), s.override()}, more...)...))
}

func startCommand(t *testing.T, cmd *exec.Cmd) *collector.Collector {
	t.Helper()
	c, err := collector.Start(cmd)
	require.NoError(t, err)
	t.Cleanup(c.Kill)
	return c
}

// page returns a Prometheus page with measurements from after this call.
func (s *setup) page(t *testing.T) collector.Page {
	t.Helper()
	after := time.Now()
	var page collector.Page
	require.Eventually(t, func() (fresh bool) {
		var err error
		page, err = collector.ReadPage(fmt.Sprintf("http://localhost:%d/metrics", s.prometheus))
		return err == nil && page.Time().After(after)
	}, patience, 100*time.Millisecond, "the Prometheus page is not updated")
	return page
}

// healthBody returns the health check's answer about every component.
func (s *setup) healthBody(t *testing.T) string {
	t.Helper()
	response, err := http.Get(fmt.Sprintf("http://localhost:%d/?verbose", s.health))
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return string(body)
}

// waitHealth waits until the health check's answer contains a text.
func (s *setup) waitHealth(t *testing.T, text string) string {
	t.Helper()
	var body string
	require.Eventually(t, func() bool {
		body = s.healthBody(t)
		return strings.Contains(body, text)
	}, patience, 100*time.Millisecond, "the health check does not answer %q", text)
	return body
}
