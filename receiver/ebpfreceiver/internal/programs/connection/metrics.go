// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package connection

import (
	"errors"
	"net/netip"

	"github.com/cilium/ebpf"
	conventions "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/connection"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics/inet"
)

// noRole is the role in the series of handshakes, which only clients have.
const noRole = uint8(common.RoleUnknown)

// series identifies a series of a map as users see it.
type series struct {
	metrics.Group
	failure   uint32
	transport uint8
	ipVersion uint8
	role      uint8
	cause     uint8
	// server is not valid if metrics have no series per server.
	server netip.AddrPort
}

func seriesOf(group metrics.Group, key *bpf.ConnectionSeries) series {
	return series{
		Group:     group,
		failure:   key.Error,
		transport: key.Transport,
		ipVersion: key.Type,
		role:      key.Role,
		cause:     key.Cause,
	}
}

// seriesOfPeer is seriesOf for keys with a server.
func seriesOfPeer(group metrics.Group, key *bpf.ConnectionPeerSeries) series {
	s := seriesOf(group, &key.Series)
	if key.Server.Port != 0 {
		s.server = netip.AddrPortFrom(common.Addr(key.Server.Address.Octets), key.Server.Port)
	}
	return s
}

// newScraper returns the series of a map that metrics.MakeRoomForPeers has prepared. fate is as in metrics.Series.
func newScraper[V comparable](
	counts *ebpf.Map, byPeer bool, fate func(m *metrics.Builder, key *bpf.ConnectionSeries, value *V) metrics.Fate,
) (metrics.Scraper[series, V], error) {
	overflow := bpf.ConnectionSeries{Cgroup: metrics.OverflowCgroup}
	if !byPeer {
		s := &metrics.Series[bpf.ConnectionSeries, series, V]{Fate: fate}
		return s, s.Loaded(counts, seriesOf, overflow)
	}
	s := &metrics.Series[bpf.ConnectionPeerSeries, series, V]{}
	if fate != nil {
		s.Fate = func(m *metrics.Builder, key *bpf.ConnectionPeerSeries, value *V) metrics.Fate {
			return fate(m, &key.Series, value)
		}
	}
	return s, s.Loaded(counts, seriesOfPeer, bpf.ConnectionPeerSeries{Series: overflow})
}

// countsFate keeps the entries of a removed cgroup until its last connection has closed.
func countsFate(m *metrics.Builder, key *bpf.ConnectionSeries, value *bpf.ConnectionCounts) metrics.Fate {
	if key.Transport == tcp && value.Found+value.Opened != value.Closed {
		return metrics.Keep
	}
	return m.Fate(key.Cgroup)
}

// Scrape implements program.Program.
func (c *connections) Scrape(m *metrics.Builder) error {
	return errors.Join(c.scrapeCounts(m), c.scrapeTimes(m), c.queues.scrapeInto(m), c.peers.sweep())
}

func (c *connections) scrapeCounts(m *metrics.Builder) error {
	err := c.openBytes.update()
	all, e := c.counts.Scrape(m)
	err = errors.Join(err, e, c.openBytes.addTo(all, m))
	for s, sum := range all {
		record(m, s, sum)
	}
	return err
}

func record(m *metrics.Builder, s series, sum *bpf.ConnectionCounts) {
	mb := m.For(s.Container)
	if s.Overflow {
		overflow := metadata.WithOtelMetricOverflowMetricAttribute(true)
		mb.RecordEbpfConnectionOpenedDataPoint(m.Now, int64(sum.Opened), overflow)
		mb.RecordEbpfConnectionFailedDataPoint(m.Now, int64(sum.Failed), overflow)
		mb.RecordEbpfConnectionActiveDataPoint(m.Now, int64(sum.Found+sum.Opened-sum.Closed), overflow)
		mb.RecordEbpfConnectionIoDataPoint(m.Now, int64(sum.BytesSent), metadata.AttributeNetworkIoDirectionTransmit, overflow)
		mb.RecordEbpfConnectionIoDataPoint(m.Now, int64(sum.BytesReceived), metadata.AttributeNetworkIoDirectionReceive, overflow)
		return
	}
	attributes := []metadata.MetricAttributeOption{metadata.WithNetworkTransportMetricAttribute(transportName(s.transport))}
	if name := inet.TypeName(s.ipVersion); name != "" {
		attributes = append(attributes, metadata.WithNetworkTypeMetricAttribute(name))
	}
	if s.server.IsValid() {
		attributes = append(attributes,
			metadata.WithServerAddressMetricAttribute(s.server.Addr().String()), metadata.WithServerPortMetricAttribute(int64(s.server.Port())))
	}
	if s.failure != 0 {
		if hasCause(s.cause) {
			attributes = append(attributes, metadata.WithEbpfConnectionCauseMetricAttribute(causes[s.cause].value))
		}
		mb.RecordEbpfConnectionFailedDataPoint(m.Now, int64(sum.Failed),
			append(attributes, metadata.WithErrorTypeMetricAttribute(errorType(s.failure)))...)
		return
	}
	attributes = append(attributes, metadata.WithEbpfConnectionRoleMetricAttribute(inet.RoleName(s.role)))
	mb.RecordEbpfConnectionOpenedDataPoint(m.Now, int64(sum.Opened), attributes...)
	if s.transport != tcp {
		return // only TCP sockets are followed to their end
	}
	mb.RecordEbpfConnectionActiveDataPoint(m.Now, int64(sum.Found+sum.Opened-sum.Closed), attributes...)
	mb.RecordEbpfConnectionIoDataPoint(m.Now, int64(sum.BytesSent), metadata.AttributeNetworkIoDirectionTransmit, attributes...)
	mb.RecordEbpfConnectionIoDataPoint(m.Now, int64(sum.BytesReceived), metadata.AttributeNetworkIoDirectionReceive, attributes...)
}

func (c *connections) scrapeTimes(m *metrics.Builder) error {
	all, err := c.times.Scrape(m)
	for s, sum := range all {
		c.recordTimes(m, s, sum)
	}
	return err
}

func (c *connections) recordTimes(m *metrics.Builder, s series, sum *bpf.ConnectionHistogram) {
	info, config := metadata.EbpfConnectionDuration, c.host.Histograms.EbpfConnectionDuration
	if s.role == noRole {
		info, config = metadata.EbpfConnectionHandshakeDuration, c.host.Histograms.EbpfConnectionHandshakeDuration
	}
	if !config.Enabled {
		return
	}
	attributes := c.host.Histogram.Append(m.For(s.Container).Histogram(info), sum.Slots[:], sum.Sum, m.Start, m.Now)
	if s.Overflow {
		attributes.PutBool("otel.metric.overflow", true)
		return
	}
	attributes.PutStr(string(conventions.NetworkTransportKey), transportName(s.transport))
	if name := inet.TypeName(s.ipVersion); name != "" {
		attributes.PutStr(string(conventions.NetworkTypeKey), name)
	}
	if s.role != noRole {
		attributes.PutStr("ebpf.connection.role", inet.RoleName(s.role))
	}
}
