// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/collector"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/programs"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
)

// With all programs, the collector uses almost no CPU on an idle host. Its own activity, such as writing events to a file,
// causes no further events.
func TestIdleWithEveryProgram(t *testing.T) {
	testenv.RequireKernel(t)
	events := filepath.Join(t.TempDir(), "events.json")
	port, err := collector.FreePort()
	require.NoError(t, err)
	c := startCommand(t, collector.Command(testenv.Collector(t), testenv.Repository(t, "examples/everything.yaml"), fmt.Sprintf(`yaml:
exporters:
  file: {path: %q}
  prometheus: {endpoint: "localhost:%d"}
service:
  telemetry: {metrics: {level: none}}
  pipelines: {logs: {exporters: [file]}}
`, events, port)))
	// Wait until the work of the start is done.
	time.Sleep(2 * time.Second)

	const seconds = 20
	// The rest of the host may be busy in some of the periods, so take the minimum.
	least := 1.0
	for attempt := 0; attempt < 3 && least >= 0.01; attempt++ {
		before, err := c.CPU()
		require.NoError(t, err)
		time.Sleep(seconds * time.Second)
		after, err := c.CPU()
		require.NoError(t, err)
		least = min(least, after.Sub(before).Total().Seconds()/seconds)
	}
	t.Logf("%.2f %% of one CPU", 100*least)
	assert.Less(t, least, 0.01, "more than 1 %% of one CPU on an idle host")

	require.NoError(t, c.Stop())
	written, err := collector.ReadEvents(events)
	require.NoError(t, err)
	attached := map[any]bool{}
	for _, e := range written {
		if e.Name == "ebpf.program.state" {
			assert.NotEqual(t, "failed", e.Attributes["ebpf.program.state"], e.Body)
			attached[e.Attributes["ebpf.program.name"]] = true
			continue
		}
		assert.NotEqualValues(t, c.PID(), e.Attributes["process.pid"], "the collector reports itself: %s", e.Body)
	}
	for _, p := range programs.All() {
		assert.Contains(t, attached, p.Name)
	}
}
