// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package dashboards

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/servers"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
)

// The shipped rules are valid, and have the thresholds and times that testdata/alerts_test.yaml expects.
func TestRules(t *testing.T) {
	promtool := servers.Tool(t, ".cache/prometheus/usr/bin/promtool", "prometheus")
	for _, args := range [][]string{
		{"check", "rules", testenv.Repository(t, rulesFile)},
		{"test", "rules", "testdata/alerts_test.yaml"},
	} {
		output, err := exec.Command(promtool, args...).CombinedOutput()
		assert.NoError(t, err, "%s\n%s", strings.Join(args, " "), output)
	}
	tested := read(t, "test/suites/dashboards/testdata/alerts_test.yaml")
	for _, r := range readRules(t) {
		if r.Alert != "" {
			assert.Contains(t, tested, r.Alert, "testdata/alerts_test.yaml does not test it")
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
