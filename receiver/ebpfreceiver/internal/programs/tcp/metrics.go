// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package tcp

import (
	"net/netip"

	"github.com/cilium/ebpf"
	conventions "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/tcp"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics/inet"
)

// series identifies a series of a map as users see it.
type series struct {
	metrics.Group
	reason     uint32
	event      uint8
	retransmit uint8
	ipVersion  uint8
	role       uint8
	// server is not valid if metrics have no series per server.
	server netip.AddrPort
}

func seriesOf(group metrics.Group, key *bpf.TCPSeries) series {
	return series{
		Group:      group,
		reason:     key.Reason,
		event:      key.Event,
		retransmit: key.Retransmit,
		ipVersion:  key.Type,
		role:       key.Role,
	}
}

// seriesOfPeer is seriesOf for keys with a server.
func seriesOfPeer(group metrics.Group, key *bpf.TCPPeerSeries) series {
	s := seriesOf(group, &key.Series)
	if key.Server.Port != 0 {
		s.server = netip.AddrPortFrom(common.Addr(key.Server.Address.Octets), key.Server.Port)
	}
	return s
}

// newScraper returns the series of a map that metrics.MakeRoomForPeers has prepared.
func newScraper(counts *ebpf.Map, byPeer bool) (metrics.Scraper[series, bpf.TCPCounts], error) {
	overflow, peers := make([]bpf.TCPSeries, len(eventNames)), make([]bpf.TCPPeerSeries, len(eventNames))
	for event := range overflow {
		overflow[event] = bpf.TCPSeries{Cgroup: metrics.OverflowCgroup, Event: uint8(event)}
		peers[event].Series = overflow[event]
	}
	if byPeer {
		s := &metrics.Series[bpf.TCPPeerSeries, series, bpf.TCPCounts]{}
		return s, s.Loaded(counts, seriesOfPeer, peers...)
	}
	s := &metrics.Series[bpf.TCPSeries, series, bpf.TCPCounts]{}
	return s, s.Loaded(counts, seriesOf, overflow...)
}

// Scrape implements program.Program.
func (s *segments) Scrape(m *metrics.Builder) error {
	if err := s.scrapeCounts(m); err != nil {
		return err
	}
	return s.scrapeRTTs(m)
}

func (s *segments) scrapeCounts(m *metrics.Builder) error {
	all, err := s.counts.Scrape(m)
	for one, sum := range all {
		s.record(m, one, int64(sum.N))
	}
	return err
}

func (s *segments) record(m *metrics.Builder, one series, n int64) {
	mb, attributes := m.For(one.Container), s.attributes(one)
	switch one.event {
	case eventRetransmit:
		mb.RecordEbpfTCPRetransmitsDataPoint(m.Now, n, attributes...)
	case resetSent:
		mb.RecordEbpfTCPResetsDataPoint(m.Now, n, metadata.AttributeNetworkIoDirectionTransmit, attributes...)
	case resetReceived:
		mb.RecordEbpfTCPResetsDataPoint(m.Now, n, metadata.AttributeNetworkIoDirectionReceive, attributes...)
	}
}

func (s *segments) attributes(one series) []metadata.MetricAttributeOption {
	if one.Overflow {
		return []metadata.MetricAttributeOption{metadata.WithOtelMetricOverflowMetricAttribute(true)}
	}
	attributes := []metadata.MetricAttributeOption{
		metadata.WithNetworkTransportMetricAttribute("tcp"),
		metadata.WithNetworkTypeMetricAttribute(inet.TypeName(one.ipVersion)),
	}
	if one.server.IsValid() {
		attributes = append(attributes, metadata.WithServerAddressMetricAttribute(one.server.Addr().String()),
			metadata.WithServerPortMetricAttribute(int64(one.server.Port())))
	}
	if name := inet.RoleName(one.role); name != "" {
		attributes = append(attributes, metadata.WithEbpfConnectionRoleMetricAttribute(name))
	}
	if name := nameIn(retransmitTypes[:], one.retransmit); name != "" {
		attributes = append(attributes, metadata.WithEbpfTCPRetransmitTypeMetricAttribute(name))
	}
	if name := s.reasons.name(one.reason); name != "" {
		attributes = append(attributes, metadata.WithEbpfTCPResetReasonMetricAttribute(name))
	}
	return attributes
}

func (s *segments) scrapeRTTs(m *metrics.Builder) error {
	// Scraped in any case, because that is what ends series.
	all, err := s.rtts.Scrape(m)
	if !s.host.Histograms.EbpfTCPRtt.Enabled {
		return err
	}
	for one, sum := range all {
		s.recordRTTs(m, one, sum)
	}
	return err
}

func (s *segments) recordRTTs(m *metrics.Builder, one series, sum *bpf.TCPHistogram) {
	metric := m.For(one.Container).Histogram(metadata.EbpfTCPRtt)
	attributes := s.host.Histogram.Append(metric, sum.Slots[:], sum.Sum, m.Start, m.Now)
	if one.Overflow {
		attributes.PutBool("otel.metric.overflow", true)
		return
	}
	attributes.PutStr(string(conventions.NetworkTransportKey), "tcp")
	attributes.PutStr(string(conventions.NetworkTypeKey), inet.TypeName(one.ipVersion))
	if name := inet.RoleName(one.role); name != "" {
		attributes.PutStr("ebpf.connection.role", name)
	}
}
