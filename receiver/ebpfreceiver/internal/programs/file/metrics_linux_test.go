// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package file

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/file"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

const aScrapeLater = programtest.Start + 10_000_000_000

func TestScrapeGolden(t *testing.T) {
	host := programtest.Host(t)
	p := newProgram(defaultConfig(), host)
	counts := programtest.Maps(t, p, bpf.FileMapFileOperations)[bpf.FileMapFileOperations]
	m := programtest.NewMetrics(host, aScrapeLater, metadata.DefaultMetricsConfig())
	require.NoError(t, p.Scrape(m))
	assert.Zero(t, m.Emit().MetricCount(), "nothing has happened yet")

	n := uint64(0)
	for _, cgroup := range []uint64{0, programtest.Service, programtest.Web, programtest.WebChild, programtest.Database, metrics.OverflowCgroup} {
		for _, key := range []bpf.FileSeries{
			{Operation: unlinked},
			{Operation: opened},
			{Operation: removed},
			{Operation: removed, Error: uint16(unix.ENOTEMPTY)},
			{Operation: renamed},
			{Operation: renamed, Uncertain: 1},
			{Operation: opened, Error: uint16(unix.EACCES)},
		} {
			if cgroup == metrics.OverflowCgroup && key.Operation != opened && key.Operation != unlinked || cgroup == metrics.OverflowCgroup && key.Error != 0 {
				continue // these are two series
			}
			n++
			key.Cgroup = cgroup
			programtest.PutPerCPU(t, counts, &key, bpf.FileCounts{Operations: n << 8}, bpf.FileCounts{Operations: 1})
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
	counts := programtest.Maps(t, p, bpf.FileMapFileOperations)[bpf.FileMapFileOperations]
	for _, operation := range []uint8{unlinked, opened} {
		programtest.PutPerCPU(t, counts, &bpf.FileSeries{Operation: operation}, bpf.FileCounts{Operations: 1}, bpf.FileCounts{})
	}
	config := metadata.DefaultMetricsConfig()
	config.EbpfFileOpens.Enabled = false
	m := programtest.NewMetrics(host, aScrapeLater, config)
	require.NoError(t, p.Scrape(m))
	metrics := m.Emit()
	assert.Equal(t, 1, metrics.MetricCount())
	assert.Equal(t, "ebpf.file.deletions", metrics.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Name())
}

// A configured path matches itself and everything below it.
func TestOpenedPaths(t *testing.T) {
	config := defaultConfig()
	config.Opens.Paths = []string{"/etc", "/var/log/auth.log"}
	paths := programtest.Maps(t, newProgram(config, programtest.Host(t)), bpf.FileMapFileOperations, bpf.FileMapFileOpenedPaths)[bpf.FileMapFileOpenedPaths]
	for path, want := range map[string]bool{
		"/etc": true, "/etc/passwd": true, "/etc/": true, "/etcetera": false, "/et": false, "/": false, "/usr/etc/x": false,
		"/var/log/auth.log": true, "/var/log/auth.log.1": false, "/var/log": false,
	} {
		key := prefixOf(path + "\x00garbage")
		key.Length = uint32(len(key.Text)) * 8
		var value uint8
		assert.Equal(t, want, paths.Lookup(&key, &value) == nil, path)
	}
}
