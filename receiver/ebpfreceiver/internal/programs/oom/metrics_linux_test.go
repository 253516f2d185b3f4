// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package oom

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/oom"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

const aScrapeLater = programtest.Start + 10_000_000_000

func TestScrapeGolden(t *testing.T) {
	host := programtest.Host(t)
	p := newTestProgram(host)
	kills := programtest.Maps(t, p, bpf.OomMapOomKills)[bpf.OomMapOomKills]
	m := programtest.NewMetrics(host, aScrapeLater, metadata.DefaultMetricsConfig())
	require.NoError(t, p.Scrape(m))
	before := m.Emit()
	assert.Equal(t, 4, before.DataPointCount(), "the host, each container and each unit have a series before their first kill")
	for _, rm := range before.ResourceMetrics().All() {
		assert.Zero(t, rm.ScopeMetrics().At(0).Metrics().At(0).Sum().DataPoints().At(0).IntValue())
	}

	for cgroup, n := range map[uint64]uint64{
		0: 1, programtest.Service: 2, // of the host, and of a unit
		programtest.Web: 10, programtest.WebChild: 20, // one container's
		programtest.Database: 30, metrics.OverflowCgroup: 40,
	} {
		programtest.PutPerCPU(t, kills, &bpf.OomSeries{Cgroup: cgroup}, bpf.OomCounts{Kills: n}, bpf.OomCounts{Kills: 1})
	}
	m = programtest.NewMetrics(host, aScrapeLater, metadata.DefaultMetricsConfig())
	require.NoError(t, p.Scrape(m))
	programtest.CompareMetrics(t, "metrics.yaml", m.Emit())

	require.NoError(t, kills.Close())
	require.ErrorContains(t, p.Scrape(m), "read map")
}

func TestScrapeDisabled(t *testing.T) {
	host := programtest.Host(t)
	p := newTestProgram(host)
	kills := programtest.Maps(t, p, bpf.OomMapOomKills)[bpf.OomMapOomKills]
	programtest.PutPerCPU(t, kills, &bpf.OomSeries{}, bpf.OomCounts{Kills: 1}, bpf.OomCounts{})
	config := metadata.DefaultMetricsConfig()
	config.EbpfOomKills.Enabled = false
	m := programtest.NewMetrics(host, aScrapeLater, config)
	require.NoError(t, p.Scrape(m))
	assert.Zero(t, m.Emit().MetricCount())
}
