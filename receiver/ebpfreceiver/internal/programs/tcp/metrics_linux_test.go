// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package tcp

import (
	"testing"

	"github.com/cilium/ebpf"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/tcp"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics/histogram"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

const aScrapeLater = programtest.Start + 10_000_000_000

// scraped is the program with the maps that it scrapes.
type scraped struct {
	host         *program.Host
	program      program.Program
	counts, rtts *ebpf.Map
}

func newScraped(t *testing.T, kind histogram.Kind) *scraped {
	t.Helper()
	host := programtest.Host(t)
	host.Histogram = kind
	p := newProgram(defaultConfig(), host)
	maps := programtest.Maps(t, p, bpf.TCPMapTcpCounts, bpf.TCPMapTcpRtts)
	return &scraped{host, p, maps[bpf.TCPMapTcpCounts], maps[bpf.TCPMapTcpRtts]}
}

// count writes a series. The last CPU has a count of one.
func (s *scraped) count(t *testing.T, key bpf.TCPSeries, n uint64) {
	t.Helper()
	programtest.PutPerCPU(t, s.counts, &key, bpf.TCPCounts{N: n - 1}, bpf.TCPCounts{N: 1})
}

// time writes a series of round trips in the same slots as the BPF side, alternately on the first and the last CPU.
func (s *scraped) time(t *testing.T, key bpf.TCPSeries, rtts ...uint64) {
	t.Helper()
	var byCPU [2]bpf.TCPHistogram
	for i, ns := range rtts {
		h := &byCPU[i%len(byCPU)]
		h.Slots[s.host.Histogram.Slot(ns)]++
		h.Sum += ns
	}
	programtest.PutPerCPU(t, s.rtts, &key, byCPU[0], byCPU[1])
}

func (s *scraped) scrape(t *testing.T) pmetric.Metrics {
	t.Helper()
	m := programtest.NewMetrics(s.host, aScrapeLater, metadata.DefaultMetricsConfig())
	require.NoError(t, s.program.Scrape(m))
	return m.Emit()
}

func sentAgain(cgroup uint64, why bpf.TCPRetransmit, ipVersion, role uint8) bpf.TCPSeries {
	return bpf.TCPSeries{Cgroup: cgroup, Event: eventRetransmit, Retransmit: uint8(why), Type: ipVersion, Role: role, Reason: noReason}
}

func reset(cgroup uint64, event uint8, reason uint32, ipVersion, role uint8) bpf.TCPSeries {
	return bpf.TCPSeries{Cgroup: cgroup, Event: event, Reason: reason, Type: ipVersion, Role: role}
}

func rtt(cgroup uint64, ipVersion, role uint8) bpf.TCPSeries {
	return bpf.TCPSeries{Cgroup: cgroup, Type: ipVersion, Role: role}
}

// fill writes the counts of a host with two containers.
func (s *scraped) fill(t *testing.T) {
	t.Helper()
	s.count(t, sentAgain(programtest.Service, bpf.TCPRetransmitRETRANSMIT_SYN, 4, roleClient), 3)
	s.count(t, sentAgain(programtest.Service, bpf.TCPRetransmitRETRANSMIT_UNKNOWN, 4, roleClient), 2)
	s.count(t, sentAgain(1<<50, bpf.TCPRetransmitRETRANSMIT_SYN, 4, roleClient), 4) // an unknown cgroup
	s.count(t, sentAgain(programtest.Web, bpf.TCPRetransmitRETRANSMIT_TIMEOUT, 6, roleServer), 10)
	s.count(t, sentAgain(programtest.WebChild, bpf.TCPRetransmitRETRANSMIT_TIMEOUT, 6, roleServer), 20)
	s.count(t, reset(0, resetSent, programtest.ResetNoSocket, 4, 0), 5)
	s.count(t, reset(0, resetSent, programtest.ResetNoSocket, 6, roleServer), 6)
	s.count(t, reset(programtest.Database, resetSent, noReason, 4, roleServer), 7)
	s.count(t, reset(programtest.Database, resetReceived, noReason, 4, roleServer), 8)
	// A series that was created but has no counts yet.
	programtest.PutPerCPU(t, s.counts, &bpf.TCPSeries{Cgroup: programtest.Database, Type: 4}, bpf.TCPCounts{}, bpf.TCPCounts{})

	s.time(t, rtt(programtest.Service, 4, roleClient), 50_000, 1_200_000)
	s.time(t, rtt(1<<50, 4, roleClient), 1_000_000_000)
	s.time(t, rtt(programtest.Web, 6, roleServer), 40_000)
	s.time(t, rtt(programtest.WebChild, 6, roleServer), 41_000)
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

	for event := range uint8(len(eventNames)) {
		s.count(t, bpf.TCPSeries{Cgroup: metrics.OverflowCgroup, Event: event}, 10+uint64(event))
	}
	s.time(t, bpf.TCPSeries{Cgroup: metrics.OverflowCgroup}, 1_000_000)
	programtest.CompareMetrics(t, "metrics_overflow.yaml", s.scrape(t))
}

func TestScrapeWithoutRTT(t *testing.T) {
	s := newScraped(t, histogram.Explicit)
	s.fill(t)
	s.host.Histograms.EbpfTCPRtt.Enabled = false
	for _, rm := range s.scrape(t).ResourceMetrics().All() {
		for _, metric := range rm.ScopeMetrics().At(0).Metrics().All() {
			assert.NotEqual(t, "ebpf.tcp.rtt", metric.Name())
		}
	}
}

// The BPF side finds the series of what finds no room by exactly these keys, in maps that are full.
func TestLoadedMakesTheOverflowSeries(t *testing.T) {
	s := newScraped(t, histogram.Explicit)
	for _, event := range []uint8{eventRetransmit, resetSent, resetReceived} {
		var counts []bpf.TCPCounts
		require.NoError(t, s.counts.Lookup(&bpf.TCPSeries{Cgroup: ^uint64(0), Event: event}, &counts), "event %d", event)
	}
	var h []bpf.TCPHistogram
	require.NoError(t, s.rtts.Lookup(&bpf.TCPSeries{Cgroup: ^uint64(0)}, &h))
}

func TestScrapeOfAClosedMap(t *testing.T) {
	for i := range 2 {
		s := newScraped(t, histogram.Explicit)
		require.NoError(t, []*ebpf.Map{s.counts, s.rtts}[i].Close())
		m := programtest.NewMetrics(s.host, aScrapeLater, metadata.DefaultMetricsConfig())
		require.ErrorContains(t, s.program.Scrape(m), "read map")
	}
}
