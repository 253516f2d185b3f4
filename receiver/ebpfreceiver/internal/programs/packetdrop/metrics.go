// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package packetdrop

import (
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/packetdrop"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/inet"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

// series is a series of the map as users see it: by container, because a container may have several cgroups, and by the
// name of the transport, because not every protocol has one.
type series struct {
	container *kernel.Container
	overflow  bool
	reason    uint32
	transport string
	ipVersion uint8
}

func seriesOf(m *program.Metrics, key *bpf.PacketDropSeries) series {
	return series{
		container: m.Container(key.Cgroup),
		overflow:  key.Cgroup == program.OverflowCgroup,
		reason:    key.Reason,
		transport: inet.TransportName(key.Protocol, key.Type),
		ipVersion: key.Type,
	}
}

func fate(m *program.Metrics, key *bpf.PacketDropSeries, _ *bpf.PacketDropCounts) program.Fate {
	return m.Fate(key.Cgroup)
}

// Scrape implements program.Program.
func (d *drops) Scrape(m *program.Metrics) error {
	all, err := d.counts.Scrape(m)
	for s, sum := range all {
		mb, attributes := m.For(s.container), d.attributes(s)
		mb.RecordEbpfPacketDropsDataPoint(m.Now, int64(sum.Packets), attributes...)
		mb.RecordEbpfPacketDropIoDataPoint(m.Now, int64(sum.Bytes), attributes...)
	}
	return err
}

func (d *drops) attributes(s series) (attributes []metadata.MetricAttributeOption) {
	if s.overflow {
		return []metadata.MetricAttributeOption{metadata.WithOtelMetricOverflowMetricAttribute(true)}
	}
	reason, subsystem := d.reasonNames(s.reason)
	if reason != "" {
		attributes = append(attributes, metadata.WithEbpfDropReasonMetricAttribute(reason))
	}
	if subsystem != "" {
		attributes = append(attributes, metadata.WithEbpfDropSubsystemMetricAttribute(subsystem))
	}
	if s.transport != "" {
		attributes = append(attributes, metadata.WithNetworkTransportMetricAttribute(s.transport))
	}
	if name := inet.TypeName(s.ipVersion); name != "" {
		attributes = append(attributes, metadata.WithNetworkTypeMetricAttribute(name))
	}
	return attributes
}
