// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package runtimes

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/collector"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
)

// settings are those of the collector that sees all guests.
const settings = `yaml:
receivers:
  ebpf:
    collection_interval: 1s
    programs:
      connection: {protocols: [tcp]}
      packet_drop:
      process:
      oom:
      file_descriptor: {processes: 10000, leak_intervals: 3}
exporters:
  file/events: {path: %q}
  file/metrics: {path: %q}
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    logs: {receivers: [ebpf], exporters: [file/events]}
    metrics: {receivers: [ebpf], exporters: [file/metrics]}
`

// trial is a runtime with its guests: those that are older than the collector, and those that are younger.
type trial struct {
	name string
	engine
	older, younger []*guest
}

func (tr *trial) guests() []*guest {
	return slices.Concat(tr.older, tr.younger)
}

// together runs a function for all trials at once.
func together(t *testing.T, trials []*trial, run func(*trial) error) {
	t.Helper()
	errs := make([]error, len(trials))
	var wg sync.WaitGroup
	for i, tr := range trials {
		wg.Go(func() { errs[i] = run(tr) })
	}
	wg.Wait()
	for i, err := range errs {
		require.NoError(t, err, trials[i].name)
	}
}

func (r *engines) newTrials(h *host) []*trial {
	none, onHost := []string{"--network", "none"}, []string{"--network", "host"}
	limit := []string{"--network", "none", "--memory", memoryLimit, "--memory-swap", memoryLimit}
	return []*trial{
		{
			name: "podman", engine: r.podman,
			older: []*guest{{name: "p-older", what: "serve", options: none}},
			younger: []*guest{
				{name: "p-younger", what: "serve", options: none},
				{name: "p-host", what: "serve", options: onHost},
				{name: "p-pod", what: "serve", options: []string{"--network", "none", "--pod", pod}},
				{name: "p-greedy", what: "greedy", options: limit},
			},
		},
		{
			name: "rootless podman", engine: newRootless(h),
			younger: []*guest{{name: "r-younger", what: "serve", options: none, rootless: true}},
		},
		{
			name: "Docker", engine: r.docker,
			older: []*guest{{name: "d-older", what: "serve", options: none}},
			younger: []*guest{
				{name: "d-younger", what: "serve", options: none},
				{name: "d-host", what: "serve", options: onHost},
				{name: "d-greedy", what: "greedy", options: limit},
			},
		},
		{
			name: "containerd", engine: r.containerd,
			older: []*guest{{name: "web", what: "serve"}, {name: "team.web", what: "serve"}},
			younger: []*guest{
				{name: "api", what: "serve"},
				{name: "team.api", what: "serve"},
				{name: strings.Repeat("0123456789abcdef", 4), what: "serve"},
				{name: "api-host", what: "serve", options: []string{"--net-host"}},
				{name: "api-greedy", what: "greedy", options: []string{"--memory-limit", "25165824"}},
			},
		},
	}
}

// results is what the collector has reported.
type results struct{ events, metrics string }

// testContainers checks that containers of real runtimes have the ids that their runtimes give them, and that events and metrics
// belong to them.
func testContainers(t *testing.T, h *host, e *engines) {
	makeImages(t, h.guest, filepath.Join(h.dir, "image.tar"), filepath.Join(h.dir, "layer.tar"))
	trials := e.newTrials(h)
	t.Cleanup(func() { together(t, trials, func(tr *trial) error { return tr.remove() }) })
	startAll := func(tr *trial, guests []*guest) error {
		for _, g := range guests {
			if err := g.start(h, tr.engine); err != nil {
				return err
			}
		}
		return nil
	}
	together(t, trials, func(tr *trial) error {
		if err := tr.load(); err != nil {
			return err
		}
		return startAll(tr, tr.older)
	})
	r := startCollector(t, h)
	together(t, trials, func(tr *trial) error { return startAll(tr, tr.younger) })
	together(t, trials, func(tr *trial) error {
		for _, g := range tr.guests() {
			if err := g.goOn(); err != nil {
				return err
			}
		}
		g := tr.younger[0]
		return tr.exec(g, "/guest", "work", g.name+"-exec")
	})
	for _, tr := range trials {
		for i, g := range tr.guests() {
			t.Run(tr.name+"/"+g.name, func(t *testing.T) {
				g.t, g.results = t, r
				if i >= len(tr.older) {
					g.checkStart()
				}
				if g.what == "greedy" {
					g.checkKill()
					return
				}
				d, err := h.await(g.name)
				require.NoError(t, err)
				g.checkWork(d, true)
				g.checkLeak()
				if g == tr.younger[0] {
					d, err := h.await(g.name + "-exec")
					require.NoError(t, err)
					g.checkWork(d, false)
				}
			})
		}
	}
}

func startCollector(t *testing.T, h *host) *results {
	t.Helper()
	r := &results{events: filepath.Join(h.dir, "events.json"), metrics: filepath.Join(h.dir, "metrics.json")}
	c, err := collector.Start(collector.Command(testenv.Collector(t), fmt.Sprintf(settings, r.events, r.metrics)))
	require.NoError(t, err)
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			c.Kill()
			assert.NoError(t, err)
		}
	})
	return r
}

// matching returns the events of a name with these attributes.
func (g *guest) matching(name string, attributes map[string]any) []collector.Event {
	g.t.Helper()
	events, err := collector.ReadEvents(g.results.events)
	require.NoError(g.t, err)
	return collector.Matching(events, name, attributes)
}

// highest returns the highest value of a counter of the container: a series ends with its container.
func (g *guest) highest(name string) (value int64) {
	g.t.Helper()
	text, err := os.ReadFile(g.results.metrics)
	require.NoError(g.t, err)
	for line := range bytes.Lines(text[:bytes.LastIndexByte(text, '\n')+1]) {
		all, err := (&pmetric.JSONUnmarshaler{}).UnmarshalMetrics(line)
		require.NoError(g.t, err)
		for _, rm := range all.ResourceMetrics().All() {
			if id, ok := rm.Resource().Attributes().Get("container.id"); !ok || id.Str() != g.id {
				continue
			}
			for _, sm := range rm.ScopeMetrics().All() {
				for _, metric := range sm.Metrics().All() {
					if metric.Name() != name {
						continue
					}
					for _, point := range metric.Sum().DataPoints().All() {
						value = max(value, point.IntValue())
					}
				}
			}
		}
	}
	return value
}

// one waits for the only event of a name with these attributes, and checks whose it is.
func (g *guest) one(name string, attributes map[string]any) collector.Event {
	g.t.Helper()
	var found []collector.Event
	require.Eventually(g.t, func() bool {
		found = g.matching(name, attributes)
		return len(found) > 0
	}, patience, 50*time.Millisecond, "no %s with %v", name, attributes)
	require.Len(g.t, found, 1, "%s with %v", name, attributes)
	g.mine(found[0])
	return found[0]
}

// mine checks that an event belongs to the guest's container.
func (g *guest) mine(e collector.Event) {
	g.t.Helper()
	if g.unseen() {
		assert.NotContains(g.t, e.Resource, "container.id", e.Name)
		return
	}
	assert.Equal(g.t, g.id, e.Resource["container.id"], "%s: %v %v", e.Name, e.Resource, e.Attributes)
	assert.Equal(g.t, g.cgroup, e.Resource["process.linux.cgroup"], e.Name)
}

// checkStart checks the execution of the container's program.
func (g *guest) checkStart() {
	e := g.one("ebpf.process.exec", map[string]any{"process.pid": int64(g.pid), "process.executable.name": "guest"})
	assert.Equal(g.t, "/guest", e.Attributes["process.executable.path"])
}

// checkWork checks what a process in the container did: the container's own, or one that was executed in it.
func (g *guest) checkWork(d done, own bool) {
	e := g.one("ebpf.connection.connect", map[string]any{"server.port": int64(d.Refused), "error.type": "refused"})
	assert.Equal(g.t, "guest", e.Attributes["process.executable.name"])
	pid := e.Attributes["process.pid"]
	if own {
		assert.EqualValues(g.t, g.pid, pid)
	} else {
		assert.NotEqualValues(g.t, g.pid, pid)
	}

	require.Eventually(g.t, func() bool { return len(g.drops(d)) >= d.Drops }, patience, 50*time.Millisecond, "of %d drops", d.Drops)
	found := g.drops(d)
	assert.Len(g.t, found, d.Drops)
	for _, drop := range found {
		g.mine(drop)
		assert.Equal(g.t, pid, drop.Attributes["process.pid"])
		assert.Equal(g.t, "receiving_socket", drop.Attributes["ebpf.attribution"])
	}
	child := g.one("ebpf.process.exec", map[string]any{"process.vpid": int64(d.Child), "process.parent_pid": pid})
	assert.Equal(g.t, "guest", child.Attributes["process.executable.name"])
	if own && !g.unseen() {
		g.counts("ebpf.connection.failed", 1)
		g.counts("ebpf.packet.drops", d.Drops)
	}
}

func (g *guest) drops(d done) []collector.Event {
	return g.matching("ebpf.packet.drop", map[string]any{
		"destination.port": int64(d.DropPort), "ebpf.drop.reason": "socket_rcvbuff",
	})
}

func (g *guest) checkLeak() {
	g.one("ebpf.file_descriptor.leak", map[string]any{"process.pid": int64(g.pid), "ebpf.file_descriptor.kind": "pipe"})
}

// checkKill checks that the kernel's OOM kill is reported and counted once.
func (g *guest) checkKill() {
	g.one("ebpf.oom.kill", map[string]any{"process.pid": int64(g.pid), "process.executable.name": "guest"})
	g.counts("ebpf.oom.kills", 1)
}

// counts waits until a counter of the container has at least a value.
func (g *guest) counts(name string, value int) {
	g.t.Helper()
	require.Eventually(g.t, func() bool { return g.highest(name) >= int64(value) }, patience, 200*time.Millisecond, "%s: %d", name, value)
}
