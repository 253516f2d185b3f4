// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package privileges

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/internal/tracefstest"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/collector"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/provoke"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/restrict"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
)

// trial is a collector under a restriction that writes its events to a file.
type trial struct {
	cmd    *exec.Cmd
	events provoke.Events
}

// newTrial prepares a collector with settings of the receiver in YAML. Each of more is another configuration that overrides
// it.
func newTrial(t *testing.T, receiver string, r restrict.Restriction, more ...string) *trial {
	t.Helper()
	return newTrialOf(t, publicCollector(t), receiver, r, more...)
}

func newTrialOf(t *testing.T, binary, receiver string, r restrict.Restriction, more ...string) *trial {
	t.Helper()
	testenv.RequireKernel(t)
	tracefstest.Mount(t)
	tr := &trial{events: provoke.Events(filepath.Join(provoke.PublicDir(t), "events.json"))}
	config := fmt.Sprintf(`yaml:
receivers: {ebpf: %s}
exporters:
  file: {path: %q, flush_interval: 100ms}
  nop:
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    logs: {receivers: [ebpf], exporters: [file]}
    metrics: {receivers: [ebpf], exporters: [nop]}
`, receiver, tr.events)
	cmd, err := restrict.Command(collector.Command(binary, append([]string{config}, more...)...), r)
	require.NoError(t, err)
	tr.cmd = cmd
	return tr
}

// start starts the collector, which must become ready.
func (tr *trial) start(t *testing.T) *collector.Collector {
	t.Helper()
	c, err := collector.Start(tr.cmd)
	require.NoError(t, err)
	t.Cleanup(c.Kill)
	return c
}

// fail starts the collector, which must not become ready, and returns its log.
func (tr *trial) fail(t *testing.T) (log string) {
	t.Helper()
	c, err := collector.Run(tr.cmd)
	require.NoError(t, err)
	t.Cleanup(c.Kill)
	require.Error(t, c.Wait(), "the collector runs: %s", c.Log())
	return c.Log()
}
