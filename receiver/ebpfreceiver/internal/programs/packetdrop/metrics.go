// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package packetdrop

import (
	"errors"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/packetdrop"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics/inet"
)

// series is a series of the map as users see it: by container, because a container may have several cgroups, and by the
// name of the transport, because not every protocol has one.
type series struct {
	metrics.Group
	reason    uint32
	transport string
	ipVersion uint8
}

func seriesOf(group metrics.Group, key *bpf.PacketDropSeries) series {
	return series{
		Group:     group,
		reason:    key.Reason,
		transport: inet.TransportName(key.Protocol, key.Type),
		ipVersion: key.Type,
	}
}

// Scrape implements program.Program.
func (d *drops) Scrape(m *metrics.Builder) error {
	all, err := d.counts.Scrape(m)
	err = errors.Join(err, d.scrapeOverflows(m))
	d.addOverflows(m, all)
	for s, sum := range all {
		mb, attributes := m.For(s.Container), d.attributes(s)
		mb.RecordEbpfPacketDropsDataPoint(m.Now, int64(sum.Packets), attributes...)
		mb.RecordEbpfPacketDropIoDataPoint(m.Now, int64(sum.Bytes), attributes...)
	}
	return err
}

func (d *drops) attributes(s series) (attributes []metadata.MetricAttributeOption) {
	if s.Overflow {
		return []metadata.MetricAttributeOption{metadata.WithOtelMetricOverflowMetricAttribute(true)}
	}
	reason, subsystem := d.host.DropReason(s.reason)
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
