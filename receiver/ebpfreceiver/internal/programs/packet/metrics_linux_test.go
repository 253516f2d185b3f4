// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package packet

import (
	"testing"

	"github.com/cilium/ebpf"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/packet"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics/inet"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

const aScrapeLater = programtest.Start + 10_000_000_000

// scraped is the program with the maps that it scrapes.
type scraped struct {
	*packets
	maps map[string]*ebpf.Map
}

// newScraped returns the program at two interfaces.
func newScraped(t *testing.T) *scraped {
	t.Helper()
	p := newProgram(on("eth0", "veth*"), programtest.Host(t)).(*packets)
	s := &scraped{p, programtest.Maps(t, p, bpf.PacketMapPacketCounts, bpf.PacketMapPacketInterfaces)}
	require.NoError(t, p.interfaces.add(2, "eth0"))
	require.NoError(t, p.interfaces.add(7, "veth1a2b"))
	return s
}

// count writes a series. The last CPU has one packet of one byte.
func (s *scraped) count(t *testing.T, key bpf.PacketSeries, packets, bytes uint64) {
	t.Helper()
	programtest.PutPerCPU(t, s.maps[bpf.PacketMapPacketCounts], &key,
		bpf.PacketCounts{Packets: packets, Bytes: bytes}, bpf.PacketCounts{Packets: 1, Bytes: 1})
}

func (s *scraped) scrapeNow(t *testing.T, config metadata.MetricsConfig) pmetric.Metrics {
	t.Helper()
	m := programtest.NewMetrics(s.host, aScrapeLater, config)
	require.NoError(t, s.Scrape(m))
	return m.Emit()
}

func key(index uint32, ipVersion, protocol uint8, traits bpf.PacketTrait) bpf.PacketSeries {
	return bpf.PacketSeries{Interface: index, Type: ipVersion, Protocol: protocol, Traits: uint8(traits)}
}

func TestScrapeGolden(t *testing.T) {
	s := newScraped(t)
	const syn, fin, rst = bpf.PacketTraitTRAIT_SYN, bpf.PacketTraitTRAIT_FIN, bpf.PacketTraitTRAIT_RST
	const fragment, lowTTL = bpf.PacketTraitTRAIT_FRAGMENT, bpf.PacketTraitTRAIT_LOW_TTL
	s.count(t, key(2, 4, inet.ProtocolTCP, 0), 2_000_000, 120_000_000)
	s.count(t, key(2, 4, inet.ProtocolTCP, syn), 5, 300)
	s.count(t, key(2, 4, inet.ProtocolTCP, rst|fin), 6, 360)
	s.count(t, key(2, 6, inet.ProtocolTCP, syn), 7, 700)
	s.count(t, key(2, 4, inet.ProtocolUDP, fragment), 8, 800)
	s.count(t, key(2, 4, inet.ProtocolUDP, fragment|lowTTL), 9, 900)
	s.count(t, key(2, 6, inet.ProtocolICMPv6, lowTTL), 10, 1000)
	s.count(t, key(2, 4, 0, 0), 11, 1100)
	s.count(t, key(2, 0, 0, 0), 12, 1200)
	s.count(t, key(7, 4, inet.ProtocolTCP, 0), 13, 1300)
	s.count(t, key(9, 4, inet.ProtocolTCP, 0), 14, 1400) // unknown interface
	programtest.CompareMetrics(t, "metrics.yaml", s.scrapeNow(t, metadata.DefaultMetricsConfig()))
}

// Counts without room in the map are the overflow series. It is absent while it is empty.
func TestScrapeOverflowGolden(t *testing.T) {
	s := newScraped(t)
	assert.Zero(t, s.scrapeNow(t, metadata.DefaultMetricsConfig()).MetricCount(), "nothing has happened yet")
	s.count(t, key(overflow, 0, 0, 0), 9, 900)
	s.count(t, key(2, 4, inet.ProtocolUDP, 0), 1, 60)
	programtest.CompareMetrics(t, "metrics_overflow.yaml", s.scrapeNow(t, metadata.DefaultMetricsConfig()))
}

func TestScrapeDisabled(t *testing.T) {
	s := newScraped(t)
	s.count(t, key(2, 4, inet.ProtocolUDP, 0), 1, 60)
	config := metadata.DefaultMetricsConfig()
	config.EbpfPacketIo.Enabled = false
	metrics := s.scrapeNow(t, config).ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics()
	require.Equal(t, 1, metrics.Len())
	assert.Equal(t, "ebpf.packet.received", metrics.At(0).Name())
	config.EbpfPacketReceived.Enabled = false
	assert.Zero(t, s.scrapeNow(t, config).MetricCount())
}

// The series of a removed interface end after they were read, and their entries leave the map.
func TestInterfacesThatAreGone(t *testing.T) {
	s := newScraped(t)
	s.count(t, key(2, 4, inet.ProtocolUDP, 0), 1, 60)
	s.count(t, key(7, 4, inet.ProtocolUDP, 0), 1, 60)
	points := func() int {
		metrics := s.scrapeNow(t, metadata.DefaultMetricsConfig()).ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics()
		return metrics.At(0).Sum().DataPoints().Len()
	}
	require.Equal(t, 2, points())
	s.interfaces.remove(7)
	var name bpf.PacketInterface
	require.ErrorIs(t, s.maps[bpf.PacketMapPacketInterfaces].Lookup(uint32(7), &name), ebpf.ErrKeyNotExist)
	require.Equal(t, 2, points(), "its last counts")
	for range 5 {
		points()
	}
	require.Equal(t, 1, points())
	seven := key(7, 4, inet.ProtocolUDP, 0)
	var counts []bpf.PacketCounts
	require.ErrorIs(t, s.maps[bpf.PacketMapPacketCounts].Lookup(&seven, &counts), ebpf.ErrKeyNotExist)
	assert.Len(t, s.interfaces.all(), 1)
}

// However many interfaces come and go, with or without scrapes, the number of known ones is bounded.
func TestInterfacesAreBounded(t *testing.T) {
	s := newScraped(t)
	for index := range uint32(100_000) {
		require.NoError(t, s.interfaces.add(10+index, "veth"))
		s.interfaces.remove(10 + index)
		require.LessOrEqual(t, len(s.interfaces.known), 2+goneKept+1)
	}
	s.scrapeNow(t, metadata.DefaultMetricsConfig())
	assert.Len(t, s.interfaces.all(), 2, "those that have counted nothing are forgotten at the next scrape")

	for index := range s.maps[bpf.PacketMapPacketInterfaces].MaxEntries() - 2 {
		require.NoError(t, s.interfaces.add(10+index, "veth"))
	}
	require.ErrorContains(t, s.interfaces.add(9, "veth"), "which has room for 4096 interfaces")
}

func TestScrapeOfAClosedMap(t *testing.T) {
	s := newScraped(t)
	require.NoError(t, s.maps[bpf.PacketMapPacketCounts].Close())
	m := programtest.NewMetrics(s.host, aScrapeLater, metadata.DefaultMetricsConfig())
	require.ErrorContains(t, s.Scrape(m), "read map")
}
