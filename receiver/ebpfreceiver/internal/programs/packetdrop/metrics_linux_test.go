// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package packetdrop

import (
	"testing"

	"github.com/cilium/ebpf"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/packetdrop"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics/inet"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

const aScrapeLater = programtest.Start + 10_000_000_000

// scraped is the program with the map that it scrapes.
type scraped struct {
	host    *program.Host
	program program.Program
	drops   *ebpf.Map
}

func newScraped(t *testing.T) *scraped {
	t.Helper()
	host := programtest.Host(t)
	p := newProgram(defaultConfig(), host)
	return &scraped{host, p, programtest.Maps(t, p, bpf.PacketDropMapPacketDropCounts)[bpf.PacketDropMapPacketDropCounts]}
}

// count writes a series. The last CPU has one packet of one byte.
func (s *scraped) count(t *testing.T, key bpf.PacketDropSeries, packets, bytes uint64) {
	t.Helper()
	programtest.PutPerCPU(t, s.drops, &key,
		bpf.PacketDropCounts{Packets: packets, Bytes: bytes}, bpf.PacketDropCounts{Packets: 1, Bytes: 1})
}

func (s *scraped) scrape(t *testing.T, now pcommon.Timestamp, config metadata.MetricsConfig) pmetric.Metrics {
	t.Helper()
	m := programtest.NewMetrics(s.host, now, config)
	require.NoError(t, s.program.Scrape(m))
	return m.Emit()
}

func key(cgroup uint64, reason uint32, protocol, ipVersion uint8) bpf.PacketDropSeries {
	return bpf.PacketDropSeries{Cgroup: cgroup, Reason: reason, Protocol: protocol, Type: ipVersion}
}

func (s *scraped) fill(t *testing.T) {
	t.Helper()
	s.count(t, key(0, programtest.ReasonNoSocket, inet.ProtocolUDP, 4), 2_000_000, 120_000_000)
	s.count(t, key(programtest.Service, programtest.ReasonNoSocket, inet.ProtocolUDP, 4), 5, 300)
	s.count(t, key(0, programtest.ReasonNoSocket, inet.ProtocolUDP, 6), 7, 700)
	s.count(t, key(0, programtest.ReasonNotSpecified, 0, 0), 3, 126)  // ARP
	s.count(t, key(0, programtest.ReasonNotSpecified, 47, 4), 4, 400) // two protocols without a name
	s.count(t, key(0, programtest.ReasonNotSpecified, 50, 4), 5, 500)
	s.count(t, key(0, programtest.ReasonLastAction, inet.ProtocolTCP, 4), 6, 600)
	s.count(t, key(0, 77, inet.ProtocolICMPv6, 6), 8, 800)
	// A container with two cgroups, and another container.
	s.count(t, key(programtest.Web, programtest.ReasonSocketRcvbuff, inet.ProtocolUDP, 4), 10, 1000)
	s.count(t, key(programtest.WebChild, programtest.ReasonSocketRcvbuff, inet.ProtocolUDP, 4), 20, 2000)
	s.count(t, key(programtest.Database, programtest.ReasonNetfilterDrop, inet.ProtocolTCP, 4), 30, 3000)
}

func TestScrapeGolden(t *testing.T) {
	s := newScraped(t)
	s.fill(t)
	programtest.CompareMetrics(t, "metrics.yaml", s.scrape(t, aScrapeLater, metadata.DefaultMetricsConfig()))
}

// Counts without room in the map are the overflow series. It is absent while it is empty.
func TestScrapeOverflowGolden(t *testing.T) {
	s := newScraped(t)
	assert.Zero(t, s.scrape(t, aScrapeLater, metadata.DefaultMetricsConfig()).MetricCount(), "nothing has happened yet")
	s.count(t, key(metrics.OverflowCgroup, 0, 0, 0), 9, 900)
	s.count(t, key(0, programtest.ReasonNoSocket, inet.ProtocolUDP, 4), 1, 60)
	programtest.CompareMetrics(t, "metrics_overflow.yaml", s.scrape(t, aScrapeLater, metadata.DefaultMetricsConfig()))
}

func TestScrapeOfAKernelWithoutReasons(t *testing.T) {
	s := newScraped(t)
	s.host.Reasons = programtest.BTF(t, 2).DropReasons()
	s.count(t, key(0, 0, inet.ProtocolUDP, 4), 1, 60)
	point := s.scrape(t, aScrapeLater, metadata.DefaultMetricsConfig()).
		ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Sum().DataPoints().At(0)
	assert.Equal(t, map[string]any{"network.transport": "udp", "network.type": "ipv4"}, point.Attributes().AsRaw())
}

func TestScrapeDisabled(t *testing.T) {
	s := newScraped(t)
	s.fill(t)
	config := metadata.DefaultMetricsConfig()
	config.EbpfPacketDropIo.Enabled = false
	for _, rm := range s.scrape(t, aScrapeLater, config).ResourceMetrics().All() {
		for _, metric := range rm.ScopeMetrics().At(0).Metrics().All() {
			assert.Equal(t, "ebpf.packet.drops", metric.Name())
		}
	}
	config.EbpfPacketDrops.Enabled = false
	assert.Zero(t, s.scrape(t, aScrapeLater, config).MetricCount())
}

// Two scrapes have the same start time, and the second one includes the counts of the first.
func TestScrapeIsCumulative(t *testing.T) {
	s := newScraped(t)
	for scrape := range uint64(2) {
		s.count(t, key(0, programtest.ReasonNoSocket, inet.ProtocolUDP, 4), 10*(scrape+1), 1000*(scrape+1))
		now := aScrapeLater + pcommon.Timestamp(scrape)
		for name, want := range map[string]uint64{"ebpf.packet.drops": 10*(scrape+1) + 1, "ebpf.packet.drop.io": 1000*(scrape+1) + 1} {
			metrics := s.scrape(t, now, metadata.DefaultMetricsConfig()).ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics()
			for _, metric := range metrics.All() {
				if metric.Name() != name {
					continue
				}
				assert.True(t, metric.Sum().IsMonotonic())
				assert.Equal(t, pmetric.AggregationTemporalityCumulative, metric.Sum().AggregationTemporality())
				point := metric.Sum().DataPoints().At(0)
				assert.EqualValues(t, want, point.IntValue())
				assert.Equal(t, programtest.Start, point.StartTimestamp())
				assert.Equal(t, now, point.Timestamp())
			}
			assert.Equal(t, 2, metrics.Len())
		}
	}
}

func TestLoadedMakesTheOverflowSeries(t *testing.T) {
	s := newScraped(t)
	var counts []bpf.PacketDropCounts
	require.NoError(t, s.drops.Lookup(&bpf.PacketDropSeries{Cgroup: ^uint64(0)}, &counts))
}

func TestScrapeOfAClosedMap(t *testing.T) {
	s := newScraped(t)
	require.NoError(t, s.drops.Close())
	m := programtest.NewMetrics(s.host, aScrapeLater, metadata.DefaultMetricsConfig())
	require.ErrorContains(t, s.program.Scrape(m), "read map")
}
