// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package connection

import (
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/connection"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics/histogram"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

const (
	client     = uint8(common.RoleClient)
	serverRole = uint8(common.RoleServer)

	aScrapeLater = programtest.Start + 10_000_000_000
)

// scraped is the program with the maps that it scrapes.
type scraped struct {
	host          *program.Host
	program       program.Program
	counts, times *ebpf.Map
}

func newScraped(t *testing.T, kind histogram.Kind) *scraped {
	t.Helper()
	host := programtest.Host(t)
	host.Histogram = kind
	p := newProgram(defaultConfig(), host)
	maps := programtest.Maps(t, p, bpf.ConnectionMapConnectionCounts, bpf.ConnectionMapConnectionDurations,
		bpf.ConnectionMapConnectionScan, bpf.ConnectionMapConnectionOpenBytes, bpf.ConnectionMapConnectionByteCounts, bpf.ConnectionMapConnectionEnded)
	return &scraped{host, p, maps[bpf.ConnectionMapConnectionCounts], maps[bpf.ConnectionMapConnectionDurations]}
}

// The end of a connection whose descriptor is closed leaves its totals when the last segment comes, at any time after the scan.
func TestBytesOfConnectionThatIsBeingClosed(t *testing.T) {
	p := newProgram(defaultConfig(), programtest.Host(t))
	maps := programtest.Maps(t, p, bpf.ConnectionMapConnectionCounts, bpf.ConnectionMapConnectionDurations,
		bpf.ConnectionMapConnectionScan, bpf.ConnectionMapConnectionOpenBytes, bpf.ConnectionMapConnectionByteCounts, bpf.ConnectionMapConnectionEnded)
	found := maps[bpf.ConnectionMapConnectionOpenBytes]
	l := &openBytes{}
	require.NoError(t, l.loaded(maps, false))
	const socket = uint64(7)
	entry := bpf.ConnectionOpenBytes{Key: bpf.ConnectionPeerSeries{Series: key(1, syscall.IPPROTO_TCP, 4, client)}, First: 1, Last: 1}
	require.NoError(t, found.Put(socket, &entry))
	l.number, l.entries = 2, 1 // a second scan has not found it
	require.NoError(t, l.collect())
	require.NoError(t, found.Lookup(socket, &entry), "it is still there")

	entry.Closed, entry.Sent, entry.TotalSent, entry.TotalReceived = 1, 200, 700, 20
	require.NoError(t, found.Put(socket, &entry))
	for _, one := range []uint64{socket, socket, 8} { // 8 is not there
		require.NoError(t, maps[bpf.ConnectionMapConnectionEnded].Put(nil, one))
	}
	l.number = 4
	require.NoError(t, l.collect())
	var sum bpf.ConnectionByteCounts
	require.NoError(t, maps[bpf.ConnectionMapConnectionByteCounts].Lookup(&entry.Key.Series, &sum))
	assert.Equal(t, bpf.ConnectionByteCounts{Sent: 500, Received: 20}, sum)
	require.ErrorIs(t, found.Lookup(socket, &entry), ebpf.ErrKeyNotExist)
	assert.Empty(t, l.closing)
	assert.Zero(t, l.entries)

	// Nothing can come after a long time.
	entry.Closed = 0
	require.NoError(t, found.Put(socket, &entry))
	l.closing[socket], l.entries = time.Now().Add(-longestClose-time.Second), 1
	require.NoError(t, l.collect())
	require.NoError(t, found.Lookup(socket, &entry), "a search is not due")
	l.searched = time.Now().Add(-searchInterval)
	require.NoError(t, l.collect())
	require.ErrorIs(t, found.Lookup(socket, &entry), ebpf.ErrKeyNotExist)

	// The end of one that the queue had no room for.
	entry.Closed = 1
	require.NoError(t, found.Put(socket, &entry))
	l.searched, l.entries = time.Time{}, 1
	require.NoError(t, l.collect())
	require.NoError(t, maps[bpf.ConnectionMapConnectionByteCounts].Lookup(&entry.Key.Series, &sum))
	assert.Equal(t, bpf.ConnectionByteCounts{Sent: 1000, Received: 40}, sum)
	assert.Zero(t, l.entries)
}

// count writes a series of counts. On the last CPU, each count that is not zero has 1.
func (s *scraped) count(t *testing.T, key bpf.ConnectionSeries, first bpf.ConnectionCounts) {
	t.Helper()
	one := func(n uint64) uint64 { return min(n, 1) }
	programtest.PutPerCPU(t, s.counts, &key, first, bpf.ConnectionCounts{
		Found: one(first.Found), Opened: one(first.Opened), Failed: one(first.Failed), Closed: one(first.Closed),
		BytesSent: one(first.BytesSent), BytesReceived: one(first.BytesReceived),
	})
}

// time writes a series of durations in the same slots as the BPF side, alternately on the first and the last CPU.
func (s *scraped) time(t *testing.T, key bpf.ConnectionSeries, durations ...uint64) {
	t.Helper()
	var byCPU [2]bpf.ConnectionHistogram
	for i, ns := range durations {
		h := &byCPU[i%len(byCPU)]
		h.Slots[s.host.Histogram.Slot(ns)]++
		h.Sum += ns
	}
	programtest.PutPerCPU(t, s.times, &key, byCPU[0], byCPU[1])
}

func (s *scraped) scrape(t *testing.T, config metadata.MetricsConfig) pmetric.Metrics {
	t.Helper()
	m := programtest.NewMetrics(s.host, aScrapeLater, config)
	require.NoError(t, s.program.Scrape(m))
	return m.Emit()
}

func key(cgroup uint64, transport, ipVersion, role uint8) bpf.ConnectionSeries {
	return bpf.ConnectionSeries{Cgroup: cgroup, Transport: transport, Type: ipVersion, Role: role}
}

func withError(key bpf.ConnectionSeries, err uint32) bpf.ConnectionSeries {
	key.Error = err
	return key
}

// fill writes the counts of a host with two containers.
func (s *scraped) fill(t *testing.T) {
	t.Helper()
	// The host's own: two cgroups, and an unknown one.
	s.count(t, key(programtest.Service, tcp, 4, client), bpf.ConnectionCounts{Opened: 10, Closed: 7, BytesSent: 1000, BytesReceived: 5000})
	s.count(t, key(1<<50, tcp, 4, client), bpf.ConnectionCounts{Opened: 5, Closed: 5, BytesSent: 500, BytesReceived: 50})
	s.count(t, key(programtest.Service, tcp, 6, serverRole), bpf.ConnectionCounts{Found: 3, Opened: 4, Closed: 2, BytesSent: 9, BytesReceived: 8})
	s.count(t, key(programtest.Service, udp, 4, client), bpf.ConnectionCounts{Opened: 20})
	s.count(t, key(programtest.Service, unix, 0, client), bpf.ConnectionCounts{Opened: 30})
	s.count(t, withError(key(programtest.Service, tcp, 4, client), uint32(syscall.ECONNREFUSED)), bpf.ConnectionCounts{Failed: 6})
	s.count(t, withError(key(programtest.Service, tcp, 4, client), uint32(bpf.ConnectionFailureERROR_ABORTED)), bpf.ConnectionCounts{Failed: 2})
	s.count(t, withError(key(programtest.Service, unix, 0, client), uint32(syscall.ENOENT)), bpf.ConnectionCounts{Failed: 1})
	// A container with two cgroups, and one with connections older than the receiver that are still open.
	s.count(t, key(programtest.Web, tcp, 4, serverRole), bpf.ConnectionCounts{Opened: 100, Closed: 60, BytesSent: 1 << 40, BytesReceived: 1 << 20})
	s.count(t, key(programtest.WebChild, tcp, 4, serverRole), bpf.ConnectionCounts{Opened: 50, Closed: 50, BytesSent: 1 << 40, BytesReceived: 1 << 20})
	s.count(t, key(programtest.Database, tcp, 4, serverRole), bpf.ConnectionCounts{Found: 1})
	// A series that was created but has no counts yet.
	s.count(t, key(programtest.Database, udp, 4, client), bpf.ConnectionCounts{})

	s.time(t, key(programtest.Service, tcp, 4, noRole), 900, 1_200_000, 1_300_000)
	s.time(t, key(1<<50, tcp, 4, noRole), 1_000_000_000)
	s.time(t, key(programtest.Web, tcp, 4, serverRole), 40_000_000_000)
	s.time(t, key(programtest.WebChild, tcp, 4, serverRole), 50_000_000, 3_700_000_000_000)
}

func TestScrapeGolden(t *testing.T) {
	for _, kind := range []histogram.Kind{histogram.Explicit, histogram.Exponential} {
		t.Run(string(kind), func(t *testing.T) {
			s := newScraped(t, kind)
			s.fill(t)
			programtest.CompareMetrics(t, "metrics_"+string(kind)+".yaml", s.scrape(t, metadata.DefaultMetricsConfig()))
		})
	}
}

// Counts without room in the map are the overflow series. It is absent while it is empty.
func TestScrapeOverflowGolden(t *testing.T) {
	s := newScraped(t, histogram.Explicit)
	assert.Zero(t, s.scrape(t, metadata.DefaultMetricsConfig()).MetricCount(), "nothing has happened yet")

	overflow := key(metrics.OverflowCgroup, 0, 0, 0)
	s.count(t, overflow, bpf.ConnectionCounts{Found: 1, Opened: 4, Failed: 2, Closed: 3, BytesSent: 10, BytesReceived: 20})
	s.count(t, key(0, tcp, 4, client), bpf.ConnectionCounts{Opened: 1})
	s.time(t, overflow, 1_000_000)
	overflow.Role = serverRole
	s.time(t, overflow, 2_000_000)
	programtest.CompareMetrics(t, "metrics_overflow.yaml", s.scrape(t, metadata.DefaultMetricsConfig()))
}

func TestScrapeDisabled(t *testing.T) {
	s := newScraped(t, histogram.Explicit)
	s.fill(t)
	config := metadata.DefaultMetricsConfig()
	config.EbpfConnectionOpened.Enabled = false
	config.EbpfConnectionIo.Enabled = false
	config.EbpfConnectionActive.Enabled = false
	s.host.Histograms.EbpfConnectionDuration.Enabled = false
	assert.ElementsMatch(t, []string{"ebpf.connection.failed", "ebpf.connection.handshake.duration"}, names(s.scrape(t, config)))

	// Only one histogram remains.
	config.EbpfConnectionFailed.Enabled = false
	assert.ElementsMatch(t, []string{"ebpf.connection.handshake.duration"}, names(s.scrape(t, config)))

	s.host.Histograms.EbpfConnectionHandshakeDuration.Enabled = false
	assert.Empty(t, names(s.scrape(t, config)))
}

// names returns the names of the metrics, each once.
func names(metrics pmetric.Metrics) (names []string) {
	for _, rm := range metrics.ResourceMetrics().All() {
		for _, metric := range rm.ScopeMetrics().At(0).Metrics().All() {
			names = append(names, metric.Name())
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Two scrapes have the same start time, and the second one includes the counts of the first.
func TestScrapeIsCumulative(t *testing.T) {
	s := newScraped(t, histogram.Explicit)
	series := key(programtest.Service, tcp, 4, client)
	for scrape := range uint64(2) {
		s.count(t, series, bpf.ConnectionCounts{Opened: 10 * (scrape + 1)})
		s.time(t, series, make([]uint64, 5*(scrape+1))...)
		now := aScrapeLater + pcommon.Timestamp(scrape)
		m := programtest.NewMetrics(s.host, now, metadata.DefaultMetricsConfig())
		require.NoError(t, s.program.Scrape(m))
		metrics := m.Emit()

		opened := find(t, metrics, "ebpf.connection.opened").Sum()
		assert.Equal(t, pmetric.AggregationTemporalityCumulative, opened.AggregationTemporality())
		assert.True(t, opened.IsMonotonic())
		point := opened.DataPoints().At(0)
		assert.EqualValues(t, 10*(scrape+1)+1, point.IntValue())
		assert.Equal(t, programtest.Start, point.StartTimestamp())
		assert.Equal(t, now, point.Timestamp())

		duration := find(t, metrics, "ebpf.connection.duration").Histogram().DataPoints().At(0)
		assert.Equal(t, 5*(scrape+1), duration.Count())
		assert.Equal(t, programtest.Start, duration.StartTimestamp())
		assert.Equal(t, now, duration.Timestamp())
	}
	assert.False(t, find(t, s.scrape(t, metadata.DefaultMetricsConfig()), "ebpf.connection.active").Sum().IsMonotonic())
}

func find(t *testing.T, metrics pmetric.Metrics, name string) pmetric.Metric {
	t.Helper()
	require.Equal(t, 1, metrics.ResourceMetrics().Len())
	for _, metric := range metrics.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
		if metric.Name() == name {
			return metric
		}
	}
	require.Fail(t, "no such metric", name)
	return pmetric.Metric{}
}

// The BPF side looks up the overflow series by exactly this key when a map is full.
func TestLoadedMakesTheOverflowSeries(t *testing.T) {
	s := newScraped(t, histogram.Explicit)
	var counts []bpf.ConnectionCounts
	require.NoError(t, s.counts.Lookup(&bpf.ConnectionSeries{Cgroup: ^uint64(0)}, &counts))
	for _, role := range []uint8{noRole, client, serverRole} {
		var h []bpf.ConnectionHistogram
		require.NoError(t, s.times.Lookup(&bpf.ConnectionSeries{Cgroup: ^uint64(0), Role: role}, &h), "role %d", role)
	}
}

// A connection may outlive the cgroup of its container.
func TestSeriesStayUntilTheLastConnectionHasClosed(t *testing.T) {
	s := newScraped(t, histogram.Explicit)
	open, closed := key(programtest.Web, tcp, 4, serverRole), key(programtest.Database, tcp, 4, serverRole)
	s.count(t, open, bpf.ConnectionCounts{Found: 4, Opened: 9, Closed: 5})
	s.count(t, closed, bpf.ConnectionCounts{Found: 4, Opened: 9, Closed: 14})
	s.time(t, open, 1_000_000)
	// The number of containers after some scrapes.
	containers := func() (n int) {
		for range 10 {
			n = s.scrape(t, metadata.DefaultMetricsConfig()).ResourceMetrics().Len()
		}
		return n
	}
	require.Equal(t, 2, containers())
	s.host.Containers.Remove(programtest.Web)
	s.host.Containers.Remove(programtest.Database)
	require.Equal(t, 1, containers())
	s.count(t, open, bpf.ConnectionCounts{Found: 4, Opened: 9, Closed: 14})
	require.Equal(t, 1, containers(), "one cgroup of the container still exists")
	s.host.Containers.Remove(programtest.WebChild)
	require.Zero(t, containers())
}

func TestScrapeOfAClosedMap(t *testing.T) {
	for _, name := range []string{bpf.ConnectionMapConnectionCounts, bpf.ConnectionMapConnectionDurations} {
		s := newScraped(t, histogram.Explicit)
		closed := map[string]*ebpf.Map{bpf.ConnectionMapConnectionCounts: s.counts, bpf.ConnectionMapConnectionDurations: s.times}[name]
		require.NoError(t, closed.Close())
		m := programtest.NewMetrics(s.host, aScrapeLater, metadata.DefaultMetricsConfig())
		require.ErrorContains(t, s.program.Scrape(m), "read map")
	}
}
