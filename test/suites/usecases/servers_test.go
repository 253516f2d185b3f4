// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package usecases

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/collector"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
)

// patience is the limit for data on its way.
const patience = 30 * time.Second

// backends are the servers and files that receive a test collector's data. The servers listen on loopback only.
type backends struct {
	events                   string // path of the file exporter's file
	page                     int    // port of the Prometheus exporter
	prometheus, victoriaLogs string // URLs
}

func startBackends(t *testing.T) *backends {
	t.Helper()
	b := &backends{events: filepath.Join(t.TempDir(), "events.json"), page: freePort(t)}
	b.prometheus = startPrometheus(t, b.page)
	b.victoriaLogs = startVictoriaLogs(t)
	return b
}

func freePort(t *testing.T) int {
	t.Helper()
	port, err := collector.FreePort()
	require.NoError(t, err)
	return port
}

// tool returns the path of a tool that a target of the Makefile installs below .cache.
func tool(t *testing.T, path, target string) string {
	t.Helper()
	path = testenv.Repository(t, path)
	if _, err := os.Stat(path); err != nil {
		testenv.Missing(t, fmt.Sprintf("`make %s` makes it: %v", target, err))
	}
	return path
}

func startPrometheus(t *testing.T, page int) (url string) {
	t.Helper()
	dir, port := t.TempDir(), freePort(t)
	config := filepath.Join(dir, "prometheus.yml")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, `
global: {scrape_interval: 1s}
scrape_configs: [{job_name: otelcol-ebpf, static_configs: [{targets: ["localhost:%d"]}]}]
`, page), 0o600))
	url = fmt.Sprintf("http://localhost:%d", port)
	serve(t, url+"/-/ready", tool(t, ".cache/prometheus/usr/bin/prometheus", "prometheus"), "--config.file="+config,
		"--storage.tsdb.path="+filepath.Join(dir, "data"), fmt.Sprintf("--web.listen-address=localhost:%d", port))
	return url
}

func startVictoriaLogs(t *testing.T) (url string) {
	t.Helper()
	port := freePort(t)
	url = fmt.Sprintf("http://localhost:%d", port)
	serve(t, url+"/health", tool(t, ".cache/bin/victoria-logs", "victorialogs"), "-storageDataPath="+t.TempDir(),
		fmt.Sprintf("-httpListenAddr=127.0.0.1:%d", port), "-memory.allowedBytes=64MiB", "-retentionPeriod=7d", "-loggerLevel=WARN")
	return url
}

// serve runs a server until the test ends, and returns when it answers at the URL.
func serve(t *testing.T, url, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	require.NoError(t, err)
	cmd.Stdout, cmd.Stderr = log, log
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		if text, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("%s: %s", filepath.Base(name), text)
		}
	})
	require.Eventually(t, func() bool {
		response, err := http.Get(url)
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK
	}, patience, 50*time.Millisecond, "%s does not answer at %s", filepath.Base(name), url)
}

// startCollector runs the collector with the page's configuration of a use case. Only ports, paths and intervals are
// different.
func (b *backends) startCollector(t *testing.T, config string) {
	t.Helper()
	override := fmt.Sprintf(`yaml:
receivers: {ebpf: {collection_interval: 1s}}
exporters:
  file: {path: %q, flush_interval: 100ms}
  prometheus: {endpoint: "localhost:%d"}
  otlp_http/victorialogs: {logs_endpoint: %q}
service:
  telemetry: {metrics: {readers: [{pull: {exporter: {prometheus: {host: localhost, port: %d}}}}]}}
`, b.events, b.page, b.victoriaLogs+"/insert/opentelemetry/v1/logs", freePort(t))
	c, err := collector.Start(collector.Command(testenv.Collector(t), testenv.Repository(t, "examples/queries.yaml"), "yaml:"+config, override))
	require.NoError(t, err)
	t.Cleanup(c.Kill)
	// The increase of a counter is known from its second scrape on.
	require.Eventually(t, func() bool {
		rows, err := b.promQL(`count_over_time(ebpf_event_delivered_total[1m]) >= 2`)
		return err == nil && len(rows) > 0
	}, patience, 100*time.Millisecond, "Prometheus does not scrape the collector")
}
