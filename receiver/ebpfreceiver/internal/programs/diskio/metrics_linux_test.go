// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package diskio

import (
	"testing"

	"github.com/cilium/ebpf"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/diskio"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics/histogram"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

const aScrapeLater = programtest.Start + 10_000_000_000

// scraped is the program with the map that it scrapes, on a host with some devices.
type scraped struct {
	host    *program.Host
	program *operations
	counts  *ebpf.Map
	devices []string
}

func newScraped(t *testing.T, kind histogram.Kind) *scraped {
	t.Helper()
	host := programtest.Host(t)
	host.Histogram = kind
	s := &scraped{host: host, program: newProgram(defaultConfig(), host).(*operations), devices: []string{"vda", "cciss/c0d0"}}
	s.counts = programtest.Maps(t, s.program, bpf.DiskIOMapDiskIoOperations)[bpf.DiskIOMapDiskIoOperations]
	s.program.devices.list = func() ([]string, error) { return s.devices, nil }
	return s
}

func key(cgroup uint64, device string, operation uint8, errorNumber uint16) *bpf.DiskIOSeries {
	k := &bpf.DiskIOSeries{Cgroup: cgroup, Operation: operation, Error: errorNumber}
	for i := range len(device) {
		k.Disk[i] = int8(device[i])
	}
	return k
}

// count writes a series of operations with that duration in ns, into the slot that the BPF side would use.
func (s *scraped) count(t *testing.T, k *bpf.DiskIOSeries, bytes uint64, durations ...uint64) {
	t.Helper()
	c := bpf.DiskIOCounts{Bytes: bytes}
	for _, ns := range durations {
		c.Durations.Slots[s.host.Histogram.Slot(ns)]++
		c.Durations.Sum += ns
	}
	require.NoError(t, s.counts.Put(k, &c))
}

func (s *scraped) scrape(t *testing.T) pmetric.Metrics {
	t.Helper()
	m := programtest.NewMetrics(s.host, aScrapeLater, metadata.DefaultMetricsConfig())
	require.NoError(t, s.program.Scrape(m))
	return m.Emit()
}

// fill writes counts of a host with two disks and two containers.
func (s *scraped) fill(t *testing.T) {
	t.Helper()
	s.count(t, key(0, "vda", programtest.DiskRead, 0), 8192, 50_000, 1_200_000)
	s.count(t, key(programtest.Service, "vda", programtest.DiskRead, 0), 4096, 60_000)
	s.count(t, key(0, "vda", programtest.DiskRead, isStatus|10), 512, 2_000_000)
	s.count(t, key(0, "cciss/c0d0", programtest.DiskWrite, 0), 1<<40, 1_000_000_000)
	s.count(t, key(0, "vda", programtest.DiskFlush, 0), 0, 10_000_000)
	s.count(t, key(0, "vda", programtest.DiskDiscard, 0), 1<<20, 10_000)
	s.count(t, key(programtest.Web, "vda", programtest.DiskWrite, 0), 1000, 40_000)
	s.count(t, key(programtest.WebChild, "vda", programtest.DiskWrite, 0), 2000, 41_000)
	s.count(t, key(programtest.Database, "vda", programtest.DiskZoneAppend, 0), 512, 42_000)
	// A series that was created but has no counts yet.
	s.count(t, key(programtest.Database, "vda", programtest.DiskRead, 0), 0)
}

func TestScrapeGolden(t *testing.T) {
	for _, kind := range []histogram.Kind{histogram.Explicit, histogram.Exponential} {
		t.Run(string(kind), func(t *testing.T) {
			s := newScraped(t, kind)
			s.fill(t)
			programtest.CompareMetrics(t, "metrics_"+string(kind)+".yaml", s.scrape(t))
		})
	}
}

// Counts without room in the map are the overflow series. It is absent while it is empty.
func TestScrapeOverflowGolden(t *testing.T) {
	s := newScraped(t, histogram.Explicit)
	assert.Zero(t, s.scrape(t).MetricCount(), "nothing has happened yet")
	var c bpf.DiskIOCounts
	overflow := &bpf.DiskIOSeries{Cgroup: ^uint64(0)}
	require.NoError(t, s.counts.Lookup(overflow, &c), "the BPF side finds it by exactly this key, in a map that is full")
	s.count(t, overflow, 4096, 1_000_000)
	programtest.CompareMetrics(t, "metrics_overflow.yaml", s.scrape(t))
}

func TestScrapeWithoutDurations(t *testing.T) {
	s := newScraped(t, histogram.Explicit)
	s.fill(t)
	s.host.Histograms.EbpfDiskOperationDuration.Enabled = false
	for _, rm := range s.scrape(t).ResourceMetrics().All() {
		for _, metric := range rm.ScopeMetrics().At(0).Metrics().All() {
			assert.Equal(t, "ebpf.disk.io", metric.Name())
		}
	}
}

// The series of a removed device end, and its entries leave the map, whatever their cgroup.
func TestScrapeOfADeviceThatIsGone(t *testing.T) {
	s := newScraped(t, histogram.Explicit)
	s.fill(t)
	s.host.Containers.Remove(programtest.Service)
	for range 10 {
		s.scrape(t)
	}
	assert.Equal(t, 10, s.entries(), "the service's counts were added to the host's")

	s.devices = []string{"cciss/c0d0"}
	for range scrapesKept {
		assert.Contains(t, s.seen(t), "vda", "its last counts are still reported")
	}
	for range 2 * scrapesKept {
		assert.Equal(t, map[string]bool{"cciss/c0d0": true}, s.seen(t))
	}
	assert.Equal(t, 2, s.entries(), "the other device and the overflow series")

	// A new device with the same name starts from zero.
	s.devices = append(s.devices, "vda")
	s.count(t, key(0, "vda", programtest.DiskRead, 0), 1, 1)
	assert.Equal(t, map[string]bool{"cciss/c0d0": true, "vda": true}, s.seen(t))
	for _, m := range s.scrape(t).ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
		if m.Name() != "ebpf.disk.io" {
			continue
		}
		for _, p := range m.Sum().DataPoints().All() {
			if device, _ := p.Attributes().Get("system.device"); device.Str() == "vda" {
				assert.EqualValues(t, 1, p.IntValue(), "without the counts merged before")
			}
		}
	}
}

func (s *scraped) entries() (n int) {
	var (
		k bpf.DiskIOSeries
		c bpf.DiskIOCounts
	)
	for all := s.counts.Iterate(); all.Next(&k, &c); {
		n++
	}
	return n
}

// seen returns the devices of a scrape.
func (s *scraped) seen(t *testing.T) map[string]bool {
	t.Helper()
	devices := map[string]bool{}
	for _, rm := range s.scrape(t).ResourceMetrics().All() {
		for _, m := range rm.ScopeMetrics().At(0).Metrics().All() {
			if m.Name() != "ebpf.disk.io" {
				continue
			}
			for _, p := range m.Sum().DataPoints().All() {
				device, _ := p.Attributes().Get("system.device")
				devices[device.Str()] = true
			}
		}
	}
	return devices
}

func TestScrapeOfAClosedMap(t *testing.T) {
	s := newScraped(t, histogram.Explicit)
	require.NoError(t, s.counts.Close())
	m := programtest.NewMetrics(s.host, aScrapeLater, metadata.DefaultMetricsConfig())
	require.ErrorContains(t, s.program.Scrape(m), "read map")
}
