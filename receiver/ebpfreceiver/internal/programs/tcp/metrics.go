// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package tcp

import (
	conventions "go.opentelemetry.io/otel/semconv/v1.43.0"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/tcp"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

// series is a series of a map as users see it: by container, because a container may have several cgroups.
type series struct {
	container  *kernel.Container
	overflow   bool
	reason     uint32
	event      uint8
	retransmit uint8
	ipVersion  uint8
	role       uint8
}

func seriesOf(m *program.Metrics, key *bpf.TCPSeries) series {
	return series{
		container:  m.Container(key.Cgroup),
		overflow:   key.Cgroup == program.OverflowCgroup,
		reason:     key.Reason,
		event:      key.Event,
		retransmit: key.Retransmit,
		ipVersion:  key.Type,
		role:       key.Role,
	}
}

func fate[V any](m *program.Metrics, key *bpf.TCPSeries, _ *V) program.Fate {
	return m.Fate(key.Cgroup)
}

// Scrape implements program.Program.
func (s *segments) Scrape(m *program.Metrics) error {
	if err := s.scrapeCounts(m); err != nil {
		return err
	}
	return s.scrapeRTTs(m)
}

func (s *segments) scrapeCounts(m *program.Metrics) error {
	all, err := s.counts.Scrape(m)
	for one, sum := range all {
		s.record(m, one, int64(sum.N))
	}
	return err
}

func (s *segments) record(m *program.Metrics, one series, n int64) {
	mb, attributes := m.For(one.container), s.attributes(one)
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
	if one.overflow {
		return []metadata.MetricAttributeOption{metadata.WithOtelMetricOverflowMetricAttribute(true)}
	}
	attributes := []metadata.MetricAttributeOption{
		metadata.WithNetworkTransportMetricAttribute("tcp"),
		metadata.WithNetworkTypeMetricAttribute(ipVersionName(one.ipVersion)),
	}
	if name := roleName(one.role); name != "" {
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

func ipVersionName(version uint8) string {
	if version == 4 {
		return "ipv4"
	}
	return "ipv6"
}

func (s *segments) scrapeRTTs(m *program.Metrics) error {
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

func (s *segments) recordRTTs(m *program.Metrics, one series, sum *bpf.TCPHistogram) {
	metric := m.For(one.container).Histogram(metadata.EbpfTCPRtt)
	attributes := s.host.Histogram.Append(metric, sum.Slots[:], sum.Sum, m.Start, m.Now)
	if one.overflow {
		attributes.PutBool("otel.metric.overflow", true)
		return
	}
	attributes.PutStr(string(conventions.NetworkTransportKey), "tcp")
	attributes.PutStr(string(conventions.NetworkTypeKey), ipVersionName(one.ipVersion))
	if name := roleName(one.role); name != "" {
		attributes.PutStr("ebpf.connection.role", name)
	}
}
