// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package runqueue

import (
	"testing"

	"github.com/cilium/ebpf"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/runqueue"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics/histogram"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

const aScrapeLater = programtest.Start + 10_000_000_000

// scraped is the program with the map that it scrapes.
type scraped struct {
	host       *program.Host
	program    program.Program
	histograms *ebpf.Map
}

func newScraped(t *testing.T, kind histogram.Kind) *scraped {
	t.Helper()
	host := programtest.Host(t)
	host.Histogram = kind
	p := newProgram(defaultConfig(), host)
	maps := programtest.Maps(t, p, bpf.RunqueueMapRunqueueWaits)
	return &scraped{host, p, maps[bpf.RunqueueMapRunqueueWaits]}
}

// put writes the waits of a cgroup's tasks in the same slots as the BPF side: the first one on the first CPU, the others on
// the last.
func (s *scraped) put(t *testing.T, cgroup, first uint64, others ...uint64) {
	t.Helper()
	of := func(waits ...uint64) (h bpf.RunqueueHistogram) {
		for _, ns := range waits {
			h.Slots[s.host.Histogram.Slot(ns)]++
			h.Sum += ns
		}
		return h
	}
	programtest.PutPerCPU(t, s.histograms, &bpf.RunqueueSeries{Cgroup: cgroup}, of(first), of(others...))
}

func (s *scraped) scrape(t *testing.T) pmetric.Metrics {
	t.Helper()
	m := programtest.NewMetrics(s.host, aScrapeLater, metadata.DefaultMetricsConfig())
	require.NoError(t, s.program.Scrape(m))
	return m.Emit()
}

func TestScrapeGolden(t *testing.T) {
	for _, kind := range []histogram.Kind{histogram.Explicit, histogram.Exponential} {
		t.Run(string(kind), func(t *testing.T) {
			s := newScraped(t, kind)
			assert.Zero(t, s.scrape(t).MetricCount(), "nothing has happened yet")

			s.put(t, 1, 50_000, 1_200_000)
			s.put(t, programtest.Service, 0, 3_000)
			s.put(t, 1<<50, 1_000_000_000) // an unknown cgroup
			s.put(t, programtest.Web, 40_000)
			s.put(t, programtest.WebChild, 41_000, 1_000, 1_001)
			s.put(t, programtest.Database, 3_600_000_000_001)
			s.put(t, metrics.OverflowCgroup, 7_000, 8_000)
			programtest.CompareMetrics(t, "metrics_"+string(kind)+".yaml", s.scrape(t))

			require.NoError(t, s.histograms.Close())
			require.ErrorContains(t, s.program.Scrape(programtest.NewMetrics(s.host, aScrapeLater, metadata.DefaultMetricsConfig())), "read map")
		})
	}
}

func TestScrapeDisabled(t *testing.T) {
	s := newScraped(t, histogram.Explicit)
	s.put(t, 1, 1)
	s.host.Histograms.EbpfRunqueueDuration.Enabled = false
	assert.Zero(t, s.scrape(t).MetricCount())
}
