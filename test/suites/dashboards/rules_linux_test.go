// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package dashboards

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/servers"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
)

// unitTests is a pattern of the files that say what the rules of a program do, beside the rules.
const unitTests = "receiver/ebpfreceiver/internal/*/alerts_test.yaml"

// The shipped rules are valid, and have the thresholds and times that the unit tests beside them expect.
func TestRules(t *testing.T) {
	promtool := servers.Tool(t, ".cache/prometheus/usr/bin/promtool", "prometheus")
	var files []string
	for _, pattern := range []string{unitTests, strings.Replace(unitTests, "*", "programs/*", 1)} {
		found, err := filepath.Glob(testenv.Repository(t, pattern))
		require.NoError(t, err)
		require.NotEmpty(t, found, pattern)
		files = append(files, found...)
	}
	for _, args := range [][]string{
		{"check", "rules", testenv.Repository(t, rulesFile)},
		append([]string{"test", "rules"}, files...),
	} {
		output, err := exec.Command(promtool, args...).CombinedOutput()
		assert.NoError(t, err, "%s\n%s", strings.Join(args, " "), output)
	}
	var tested strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		tested.Write(text)
	}
	for _, r := range readRules(t) {
		if r.Alert != "" {
			assert.Contains(t, tested.String(), r.Alert, "no file alerts_test.yaml tests it")
		}
	}
}

// Each alert has a section in docs/alerts.md, and a link to it.
func TestRunbooks(t *testing.T) {
	const page = "https://github.com/otelcol-ebpf/otelcol-ebpf/blob/main/docs/alerts.md#"
	sections := runbooks(t)
	delete(sections, "What to do first")
	for _, r := range readRules(t) {
		if r.Alert == "" {
			continue
		}
		assert.Contains(t, sections, r.Alert, "docs/alerts.md has no section")
		delete(sections, r.Alert)
		assert.Equal(t, page+strings.ToLower(r.Alert), r.Annotations["runbook_url"])
		assert.NotEmpty(t, r.Annotations["summary"], r.Alert)
		assert.NotEmpty(t, r.Annotations["description"], r.Alert)
	}
	assert.Empty(t, sections, "there are no such alerts")
}
