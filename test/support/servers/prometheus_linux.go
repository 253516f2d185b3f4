// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package servers

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Prometheus starts Debian's Prometheus, and returns its URL. It scrapes ports of this host, and evaluates a file of rules, if there is
// one, every second.
func Prometheus(t testing.TB, rules string, ports ...int) (url string) {
	t.Helper()
	dir, port := t.TempDir(), FreePort(t)
	config := filepath.Join(dir, "prometheus.yml")
	var targets, files []string
	for _, p := range ports {
		targets = append(targets, fmt.Sprintf(`"localhost:%d"`, p))
	}
	if rules != "" {
		files = append(files, fmt.Sprintf("%q", rules))
	}
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, `
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [%s]
scrape_configs: [{job_name: otelcol-ebpf, static_configs: [{targets: [%s]}]}]
`, strings.Join(files, ", "), strings.Join(targets, ", ")), 0o600))
	url = fmt.Sprintf("http://localhost:%d", port)
	Serve(t, url+"/-/ready", Tool(t, ".cache/prometheus/usr/bin/prometheus", "prometheus"), "--config.file="+config,
		"--storage.tsdb.path="+filepath.Join(dir, "data"), fmt.Sprintf("--web.listen-address=localhost:%d", port))
	return url
}
