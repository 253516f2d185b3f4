// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/collector"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
)

// Debian's Prometheus scrapes the collector. Queries return what the traffic caused.
func TestPrometheus(t *testing.T) {
	testenv.RequireKernel(t)
	server := prometheusBinary(t)
	s := newSetup(t)
	s.start(t)
	container := testhost.NewDockerContainer(t)
	job{Refused: 3}.make(t, "curl", container)
	api := startPrometheus(t, server, s.prometheus)

	const failed = `ebpf_connection_failed_total{container_id=%q, error_type="refused", network_transport="tcp"}`
	var answers []string
	require.Eventually(t, func() bool {
		answers = query(t, api, fmt.Sprintf(failed, container.ContainerID))
		return len(answers) == 1 && answers[0] == "3"
	}, patience, 200*time.Millisecond, "Prometheus does not have the refused connections")
	assert.Equal(t, []string{"1"}, query(t, api, `up{job="ebpf"}`))
	for _, metric := range []string{"ebpf_packet_drops_total", "ebpf_event_delivered_total", "ebpf_event_lost_total"} {
		assert.NotEmpty(t, query(t, api, metric), metric)
	}
}

// startPrometheus starts a server that scrapes a port, and returns the URL of its API.
func startPrometheus(t *testing.T, server string, port int) string {
	t.Helper()
	own, err := collector.FreePort()
	require.NoError(t, err)
	dir := t.TempDir()
	config := filepath.Join(dir, "prometheus.yml")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, `
global: {scrape_interval: 1s}
scrape_configs: [{job_name: ebpf, static_configs: [{targets: ["localhost:%d"]}]}]
`, port), 0o600))
	cmd := exec.Command(server, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"),
		fmt.Sprintf("--web.listen-address=localhost:%d", own))
	log, err := os.Create(filepath.Join(dir, "log"))
	require.NoError(t, err)
	cmd.Stderr = log
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		if text, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("Prometheus: %s", text)
		}
	})
	return fmt.Sprintf("http://localhost:%d/api/v1/query?query=", own)
}

// query returns the values of a query's series; none while the server does not answer.
func query(t *testing.T, api, text string) (values []string) {
	t.Helper()
	response, err := http.Get(api + url.QueryEscape(text))
	if err != nil {
		return nil
	}
	defer response.Body.Close()
	var answer struct {
		Data struct {
			Result []struct{ Value [2]any }
		}
	}
	if response.StatusCode != http.StatusOK || json.NewDecoder(response.Body).Decode(&answer) != nil {
		return nil
	}
	for _, r := range answer.Data.Result {
		values = append(values, fmt.Sprint(r.Value[1]))
	}
	return values
}
