// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/process"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

const aScrapeLater = programtest.Start + 10_000_000_000

func TestScrapeGolden(t *testing.T) {
	host := programtest.Host(t)
	p := newProgram(defaultConfig(), host)
	counts := programtest.Maps(t, p, bpf.ProcessMapProcessCounts)[bpf.ProcessMapProcessCounts]
	m := programtest.NewMetrics(host, aScrapeLater, metadata.DefaultMetricsConfig())
	require.NoError(t, p.Scrape(m))
	assert.Zero(t, m.Emit().MetricCount(), "nothing has happened yet")

	n := uint64(0)
	for _, cgroup := range []uint64{0, programtest.Service, programtest.Web, programtest.WebChild, programtest.Database, metrics.OverflowCgroup} {
		for _, key := range []bpf.ProcessSeries{
			{Outcome: executed}, {Outcome: succeeded}, {Outcome: failed}, {Outcome: signalled, Signal: 9}, {Outcome: signalled, Signal: 15},
		} {
			if cgroup == metrics.OverflowCgroup && key.Outcome > succeeded {
				continue // that is one series
			}
			n++
			key.Cgroup = cgroup
			programtest.PutPerCPU(t, counts, &key, bpf.ProcessCounts{Processes: n << 8}, bpf.ProcessCounts{Processes: 1})
		}
	}
	m = programtest.NewMetrics(host, aScrapeLater, metadata.DefaultMetricsConfig())
	require.NoError(t, p.Scrape(m))
	programtest.CompareMetrics(t, "metrics.yaml", m.Emit())

	require.NoError(t, counts.Close())
	require.ErrorContains(t, p.Scrape(m), "read map")
}

func TestScrapeDisabled(t *testing.T) {
	host := programtest.Host(t)
	p := newProgram(defaultConfig(), host)
	counts := programtest.Maps(t, p, bpf.ProcessMapProcessCounts)[bpf.ProcessMapProcessCounts]
	for _, outcome := range []uint8{executed, failed} {
		programtest.PutPerCPU(t, counts, &bpf.ProcessSeries{Outcome: outcome}, bpf.ProcessCounts{Processes: 1}, bpf.ProcessCounts{})
	}
	config := metadata.DefaultMetricsConfig()
	config.EbpfProcessExits.Enabled = false
	m := programtest.NewMetrics(host, aScrapeLater, config)
	require.NoError(t, p.Scrape(m))
	metrics := m.Emit()
	assert.Equal(t, 1, metrics.MetricCount())
	assert.Equal(t, "ebpf.process.executions", metrics.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Name())
}
