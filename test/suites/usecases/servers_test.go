// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package usecases

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/collector"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/servers"
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
	b := &backends{events: filepath.Join(t.TempDir(), "events.json"), page: servers.FreePort(t)}
	b.prometheus = servers.Prometheus(t, "", b.page)
	b.victoriaLogs = startVictoriaLogs(t)
	return b
}

func startVictoriaLogs(t *testing.T) (url string) {
	t.Helper()
	port := servers.FreePort(t)
	url = fmt.Sprintf("http://localhost:%d", port)
	servers.Serve(t, url+"/health", servers.Tool(t, ".cache/bin/victoria-logs", "victorialogs"), "-storageDataPath="+t.TempDir(),
		fmt.Sprintf("-httpListenAddr=127.0.0.1:%d", port), "-memory.allowedBytes=64MiB", "-retentionPeriod=7d", "-loggerLevel=WARN")
	return url
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
`, b.events, b.page, b.victoriaLogs+"/insert/opentelemetry/v1/logs", servers.FreePort(t))
	c, err := collector.Start(collector.Command(testenv.Collector(t), testenv.Repository(t, "examples/queries.yaml"), "yaml:"+config, override))
	require.NoError(t, err)
	t.Cleanup(c.Kill)
	// The increase of a counter is known from its second scrape on.
	require.Eventually(t, func() bool {
		rows, err := b.promQL(`count_over_time(ebpf_event_delivered_total[1m]) >= 2`)
		return err == nil && len(rows) > 0
	}, patience, 100*time.Millisecond, "Prometheus does not scrape the collector")
}
