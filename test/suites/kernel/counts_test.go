// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/internal/tracefstest"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/programs"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

// forContainer describes the metrics of a program for a container.
type forContainer struct {
	// settings are a YAML block; "" for the defaults.
	settings string
	// act provokes something that the program counts; nil if any activity of an agent is counted.
	act func(*testing.T, place)
	// metrics are the metrics that exist afterwards.
	metrics []string
}

// place is a container with an agent in it.
type place struct {
	ns        *testnet.Namespace
	container *testhost.Cgroup
	agent     *traffic.Agent
}

// countedBy has an entry for each program with metrics for containers. The file with the program's tests adds it.
var countedBy = map[string]forContainer{}

func counts(program string, c forContainer) { countedBy[program] = c }

// The series that a program counts for a container end with the container.
func TestSeriesOfEachProgramGoWithTheirContainer(t *testing.T) {
	testnet.Require(t)
	tracefstest.Mount(t)
	var blocks []string
	for _, p := range programs.All() {
		c, ok := countedBy[p.Name]
		require.Equal(t, p.Containers, ok, "call counts() in the tests of program %s if it has metrics for containers", p.Name)
		if !ok {
			continue
		}
		if c.settings == "" {
			c.settings = "{}"
		}
		blocks = append(blocks, p.Name+": "+c.settings)
	}
	r := testreceiver.Start(t, "collection_interval: 200ms\nprograms: {"+strings.Join(blocks, ", ")+"}")
	container := testhost.NewContainer(t)
	ns := testnet.NewNamespace(t)
	a := traffic.Start(t, ns, traffic.In(container))
	var want []string
	for _, p := range programs.All() {
		c := countedBy[p.Name]
		if c.act != nil {
			c.act(t, place{ns, container, a})
		}
		want = append(want, c.metrics...)
	}

	m := r.ScrapeUntil(t, func(m testreceiver.Scrape) bool { return len(m.In(container).Names()) >= len(want) }).In(container)
	assert.Subset(t, m.Names(), want)
	a.Exit()
	container.Remove(t)
	m = r.ScrapeUntil(t, func(m testreceiver.Scrape) bool { return len(m.In(container).Names()) == 0 }).In(container)
	assert.Empty(t, m.Names())
}
