// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package connection

import (
	conventions "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/connection"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

// noRole is the role in the series of handshakes, which only clients have.
const noRole = uint8(common.RoleUnknown)

// series is a series of a map as users see it: by container, because a container may have several cgroups.
type series struct {
	container *kernel.Container
	overflow  bool
	failure   uint32
	transport uint8
	ipVersion uint8
	role      uint8
}

func seriesOf(m *program.Metrics, key *bpf.ConnectionSeries) series {
	return series{
		container: m.Container(key.Cgroup),
		overflow:  key.Cgroup == program.OverflowCgroup,
		failure:   key.Error,
		transport: key.Transport,
		ipVersion: key.Type,
		role:      key.Role,
	}
}

// countsFate keeps what is counted for a cgroup that is gone until its last connection has closed.
func countsFate(m *program.Metrics, key *bpf.ConnectionSeries, value *bpf.ConnectionCounts) program.Fate {
	if key.Transport == tcp && value.Found+value.Opened != value.Closed {
		return program.Keep
	}
	return m.Fate(key.Cgroup)
}

func timesFate(m *program.Metrics, key *bpf.ConnectionSeries, _ *bpf.ConnectionHistogram) program.Fate {
	return m.Fate(key.Cgroup)
}

// Scrape implements program.Program.
func (c *connections) Scrape(m *program.Metrics) error {
	if err := c.scrapeCounts(m); err != nil {
		return err
	}
	return c.scrapeTimes(m)
}

func (c *connections) scrapeCounts(m *program.Metrics) error {
	all, err := c.counts.Scrape(m)
	for s, sum := range all {
		record(m, s, sum)
	}
	return err
}

func record(m *program.Metrics, s series, sum *bpf.ConnectionCounts) {
	mb := m.For(s.container)
	if s.overflow {
		overflow := metadata.WithOtelMetricOverflowMetricAttribute(true)
		mb.RecordEbpfConnectionOpenedDataPoint(m.Now, int64(sum.Opened), overflow)
		mb.RecordEbpfConnectionFailedDataPoint(m.Now, int64(sum.Failed), overflow)
		mb.RecordEbpfConnectionActiveDataPoint(m.Now, int64(sum.Found+sum.Opened-sum.Closed), overflow)
		mb.RecordEbpfConnectionIoDataPoint(m.Now, int64(sum.BytesSent), metadata.AttributeNetworkIoDirectionTransmit, overflow)
		mb.RecordEbpfConnectionIoDataPoint(m.Now, int64(sum.BytesReceived), metadata.AttributeNetworkIoDirectionReceive, overflow)
		return
	}
	attributes := []metadata.MetricAttributeOption{metadata.WithNetworkTransportMetricAttribute(transportName(s.transport))}
	if name := ipVersionName(s.ipVersion); name != "" {
		attributes = append(attributes, metadata.WithNetworkTypeMetricAttribute(name))
	}
	if s.failure != 0 {
		mb.RecordEbpfConnectionFailedDataPoint(m.Now, int64(sum.Failed),
			append(attributes, metadata.WithErrorTypeMetricAttribute(errorType(s.failure)))...)
		return
	}
	attributes = append(attributes, metadata.WithEbpfConnectionRoleMetricAttribute(roleName(s.role)))
	mb.RecordEbpfConnectionOpenedDataPoint(m.Now, int64(sum.Opened), attributes...)
	if s.transport != tcp {
		return // only TCP sockets are followed to their end
	}
	mb.RecordEbpfConnectionActiveDataPoint(m.Now, int64(sum.Found+sum.Opened-sum.Closed), attributes...)
	mb.RecordEbpfConnectionIoDataPoint(m.Now, int64(sum.BytesSent), metadata.AttributeNetworkIoDirectionTransmit, attributes...)
	mb.RecordEbpfConnectionIoDataPoint(m.Now, int64(sum.BytesReceived), metadata.AttributeNetworkIoDirectionReceive, attributes...)
}

func ipVersionName(version uint8) string {
	switch version {
	case 4:
		return "ipv4"
	case 6:
		return "ipv6"
	default:
		return ""
	}
}

func (c *connections) scrapeTimes(m *program.Metrics) error {
	all, err := c.times.Scrape(m)
	for s, sum := range all {
		c.recordTimes(m, s, sum)
	}
	return err
}

func (c *connections) recordTimes(m *program.Metrics, s series, sum *bpf.ConnectionHistogram) {
	info, config := metadata.EbpfConnectionDuration, c.host.Histograms.EbpfConnectionDuration
	if s.role == noRole {
		info, config = metadata.EbpfConnectionHandshakeDuration, c.host.Histograms.EbpfConnectionHandshakeDuration
	}
	if !config.Enabled {
		return
	}
	attributes := c.host.Histogram.Append(m.For(s.container).Histogram(info), sum.Slots[:], sum.Sum, m.Start, m.Now)
	if s.overflow {
		attributes.PutBool("otel.metric.overflow", true)
		return
	}
	attributes.PutStr(string(conventions.NetworkTransportKey), transportName(s.transport))
	if name := ipVersionName(s.ipVersion); name != "" {
		attributes.PutStr(string(conventions.NetworkTypeKey), name)
	}
	if s.role != noRole {
		attributes.PutStr("ebpf.connection.role", roleName(s.role))
	}
}
