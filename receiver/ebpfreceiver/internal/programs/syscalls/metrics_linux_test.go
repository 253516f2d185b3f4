// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	"testing"

	"github.com/cilium/ebpf"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"golang.org/x/sys/unix"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/syscalls"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics/histogram"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

const aScrapeLater = programtest.Start + 10_000_000_000

// scraped is the program with the map that it scrapes.
type scraped struct {
	host    *program.Host
	program program.Program
	counts  *ebpf.Map
}

func newScraped(t *testing.T, kind histogram.Kind) *scraped {
	t.Helper()
	host := programtest.Host(t)
	host.Histogram = kind
	config := defaultConfig()
	config.Detail = detailFull
	return scrapedWith(t, config, host)
}

func scrapedWith(t *testing.T, config *Config, host *program.Host) *scraped {
	t.Helper()
	p := newProgram(config, host)
	maps := programtest.Maps(t, p, bpf.SyscallMapSyscallCounts)
	return &scraped{host, p, maps[bpf.SyscallMapSyscallCounts]}
}

// count writes calls of one duration in the same slot as the BPF side. The last CPU has one of them.
func (s *scraped) count(t *testing.T, cgroup uint64, call int, errno unix.Errno, ns, n uint64) {
	t.Helper()
	key := bpf.SyscallSeries{Cgroup: cgroup, Call: uint16(call), Error: uint16(errno), Slot: uint16(s.host.Histogram.Slot(ns))}
	programtest.PutPerCPU(t, s.counts, &key, bpf.SyscallCounts{Calls: n - 1, Time: (n - 1) * ns}, bpf.SyscallCounts{Calls: 1, Time: ns})
}

func (s *scraped) scrape(t *testing.T) pmetric.Metrics {
	t.Helper()
	m := programtest.NewMetrics(s.host, aScrapeLater, metadata.DefaultMetricsConfig())
	require.NoError(t, s.program.Scrape(m))
	return m.Emit()
}

// fill writes the counts of a host with two containers.
func (s *scraped) fill(t *testing.T) {
	t.Helper()
	read, futex := numberOf(t, "read"), numberOf(t, "futex")
	s.count(t, programtest.Service, read, 0, 400, 100)
	s.count(t, programtest.Service, read, 0, 30_000, 10)
	s.count(t, programtest.Service, read, unix.EAGAIN, 300, 20)
	s.count(t, programtest.Service, read, unix.EAGAIN, 1200, 5)
	s.count(t, programtest.Service, read, unix.EIO, 2_000_000_000, 1)
	s.count(t, 1<<50, read, 0, 400, 1000) // of an unknown cgroup
	s.count(t, programtest.Web, futex, unix.ETIMEDOUT, 50_000_000, 7)
	s.count(t, programtest.WebChild, futex, unix.ETIMEDOUT, 50_000_000, 3)
	s.count(t, programtest.WebChild, futex, 0, 7_200_000_000_000, 1)
	s.count(t, programtest.Database, 600, unix.ENOSYS, 200, 2)
	s.count(t, programtest.Database, compat+600, unix.ENOSYS, 200, 3) // the same name in the 32-bit table
	// A series that was created but has no counts yet.
	key := bpf.SyscallSeries{Cgroup: programtest.Database, Call: uint16(read)}
	programtest.PutPerCPU(t, s.counts, &key, bpf.SyscallCounts{}, bpf.SyscallCounts{})
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

// Without buckets, the histogram only has the number of calls and the sum of their durations.
func TestScrapeWithoutBuckets(t *testing.T) {
	host := programtest.Host(t)
	host.Histogram = histogram.Exponential
	s := scrapedWith(t, defaultConfig(), host)
	for _, c := range []struct{ errno, n, ns uint64 }{{0, 3, 1000}, {uint64(unix.EIO), 2, 500}} {
		key := bpf.SyscallSeries{Call: uint16(numberOf(t, "read")), Error: uint16(c.errno)}
		programtest.PutPerCPU(t, s.counts, &key, bpf.SyscallCounts{Calls: c.n, Time: c.n * c.ns}, bpf.SyscallCounts{})
	}
	metrics := s.scrape(t)
	require.Equal(t, 1, metrics.ResourceMetrics().Len())
	seen := 0
	for _, metric := range metrics.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
		if metric.Name() != "ebpf.syscall.duration" {
			continue
		}
		seen++
		require.Equal(t, 1, metric.Histogram().DataPoints().Len())
		point := metric.Histogram().DataPoints().At(0)
		assert.EqualValues(t, 5, point.Count())
		assert.InDelta(t, 4e-6, point.Sum(), 1e-12)
		assert.Zero(t, point.BucketCounts().Len()+point.ExplicitBounds().Len())
	}
	assert.Equal(t, 1, seen)
}

func TestDetail(t *testing.T) {
	for want, config := range map[string]func(c *Config){
		detailHost:      func(*Config) {},
		detailContainer: func(c *Config) { c.Detail, c.Syscalls = detailContainer, []string{"read"} },
		detailFull:      func(c *Config) { c.Syscalls = []string{"read"} },
	} {
		c := defaultConfig()
		config(c)
		require.NoError(t, c.Validate())
		assert.Equal(t, want, c.detail())
	}
	c := defaultConfig()
	c.Detail = "Full"
	require.ErrorContains(t, c.Validate(), `detail: "Full" is not one of auto, host, container, full`)
}

// Counts without room in the map are the overflow series. It is absent while it is empty.
func TestScrapeOverflowGolden(t *testing.T) {
	s := newScraped(t, histogram.Explicit)
	assert.Zero(t, s.scrape(t).MetricCount(), "nothing has happened yet")
	s.count(t, metrics.OverflowCgroup, 0, 0, 500, 10)
	s.count(t, metrics.OverflowCgroup, 0, 1, 500, 4)
	s.count(t, metrics.OverflowCgroup, 0, 1, 2_000_000, 3)
	programtest.CompareMetrics(t, "metrics_overflow.yaml", s.scrape(t))
}

func TestScrapeWithoutDurations(t *testing.T) {
	s := newScraped(t, histogram.Explicit)
	s.fill(t)
	s.host.Histograms.EbpfSyscallDuration.Enabled = false
	for _, rm := range s.scrape(t).ResourceMetrics().All() {
		for _, metric := range rm.ScopeMetrics().At(0).Metrics().All() {
			assert.Equal(t, "ebpf.syscall.errors", metric.Name())
		}
	}
}

// The BPF side finds the series of what finds no room by exactly these keys, in a map that is full.
func TestLoadedMakesTheOverflowSeries(t *testing.T) {
	s := newScraped(t, histogram.Exponential)
	for slot := range uint16(histogram.Slots) {
		for failed := range uint16(2) {
			var counts []bpf.SyscallCounts
			require.NoError(t, s.counts.Lookup(&bpf.SyscallSeries{Cgroup: ^uint64(0), Error: failed, Slot: slot}, &counts))
		}
	}
}

func TestScrapeOfAClosedMap(t *testing.T) {
	s := newScraped(t, histogram.Explicit)
	require.NoError(t, s.counts.Close())
	require.ErrorContains(t, s.program.Scrape(programtest.NewMetrics(s.host, aScrapeLater, metadata.DefaultMetricsConfig())), "read map")
}

// The kernel's maps have the filters, whether or not such a container exists.
func TestLoadedFillsTheFilters(t *testing.T) {
	host := programtest.LiveHost(t)
	config := defaultConfig()
	config.Executables = []program.Executable{"cat", "nginx"}
	config.Containers = []program.ContainerID{containerID, "ba9876543210"}
	p := newProgram(config, host)
	maps := programtest.Maps(t, p, bpf.SyscallMapSyscallCounts, bpf.SyscallMapSyscallExecutables, bpf.SyscallMapSelectedContainers)
	var value uint8
	for _, name := range config.Executables {
		key := name.Key()
		require.NoError(t, maps[bpf.SyscallMapSyscallExecutables].Lookup(&key, &value), name)
	}
	// Look up a whole id, as the BPF side does.
	for id, wanted := range map[string]bool{
		containerID:                         true,
		containerID[:63] + "0":              false,
		"ba9876543210" + containerID[:52]:   true,
		"ba987654321f" + containerID[:52]:   false,
		containerID[:12] + containerID[:52]: false,
	} {
		key := containerKey(program.ContainerID(id))
		err := maps[bpf.SyscallMapSelectedContainers].Lookup(&key, &value)
		if wanted {
			require.NoError(t, err, id)
		} else {
			require.ErrorIs(t, err, ebpf.ErrKeyNotExist, id)
		}
	}
}
