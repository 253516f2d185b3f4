// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package privileges

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/collector"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/restrict"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
)

// patience is how long an event may take until it is in the file.
const patience = 10 * time.Second

// trial is a collector that is started under a restriction, and writes its events to a file.
type trial struct {
	cmd    *exec.Cmd
	events string // path of the file
}

// newTrial prepares a collector with a receiver's settings in YAML. Each of more is a further configuration over that.
func newTrial(t *testing.T, receiver string, r restrict.Restriction, more ...string) *trial {
	t.Helper()
	return newTrialOf(t, publicCollector(t), receiver, r, more...)
}

func newTrialOf(t *testing.T, binary, receiver string, r restrict.Restriction, more ...string) *trial {
	t.Helper()
	testenv.RequireKernel(t)
	tr := &trial{events: filepath.Join(publicDir(t), "events.json")}
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

// start starts the collector, which has to become ready.
func (tr *trial) start(t *testing.T) *collector.Collector {
	t.Helper()
	c, err := collector.Start(tr.cmd)
	require.NoError(t, err)
	t.Cleanup(c.Kill)
	return c
}

// fail starts the collector, which must not become ready, and returns what it says.
func (tr *trial) fail(t *testing.T) (log string) {
	t.Helper()
	c, err := collector.Run(tr.cmd)
	require.NoError(t, err)
	t.Cleanup(c.Kill)
	require.Error(t, c.Wait(), "the collector runs: %s", c.Log())
	return c.Log()
}

// await waits until there are n events of a name with these attributes, and returns them.
func (tr *trial) await(t *testing.T, n int, name string, attributes map[string]any) []collector.Event {
	t.Helper()
	return tr.awaitIn(t, nil, n, name, attributes)
}

// awaitIn waits for events of a container.
func (tr *trial) awaitIn(t *testing.T, in *testhost.Cgroup, n int, name string, attributes map[string]any) (found []collector.Event) {
	t.Helper()
	require.Eventually(t, func() bool {
		found = tr.matching(t, in, name, attributes)
		return len(found) >= n
	}, patience, 50*time.Millisecond, "no %d events %s with %v", n, name, attributes)
	require.Len(t, found, n, "events %s with %v", name, attributes)
	return found
}

// matching returns the events that there are, of a container if that is not nil.
func (tr *trial) matching(t *testing.T, in *testhost.Cgroup, name string, attributes map[string]any) []collector.Event {
	t.Helper()
	events, err := collector.ReadEvents(tr.events)
	require.NoError(t, err)
	return slices.DeleteFunc(collector.Matching(events, name, attributes), func(e collector.Event) bool {
		return in != nil && e.Resource["container.id"] != in.ContainerID
	})
}
