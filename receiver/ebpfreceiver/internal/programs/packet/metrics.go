// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package packet

import (
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/packet"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics/inet"
)

// overflow is the interface of the overflow series, which counts when the map is full.
const overflow uint32 = 0

// Traits of packets: the numbers are those of the BPF side.
const (
	controlFlags = uint8(bpf.PacketTraitTRAIT_FIN | bpf.PacketTraitTRAIT_SYN | bpf.PacketTraitTRAIT_RST)
	isFragment   = uint8(bpf.PacketTraitTRAIT_FRAGMENT)
	hasLowTTL    = uint8(bpf.PacketTraitTRAIT_LOW_TTL)
)

// series is a series of the map as users see it: with the name of the interface.
type series struct {
	interfaceName string // "": the interface was removed and forgotten
	overflow      bool
	protocol      uint8
	ipVersion     uint8
	traits        uint8
}

// scrape has the state of interfaces while the map is read.
type scrape struct {
	known   map[uint32]known
	counted map[uint32]bool
}

func (p *packets) seriesOf(_ metrics.Group, key *bpf.PacketSeries) series {
	p.scrape.counted[key.Interface] = true
	return series{
		interfaceName: p.scrape.known[key.Interface].name,
		overflow:      key.Interface == overflow,
		protocol:      key.Protocol,
		ipVersion:     key.Type,
		traits:        key.Traits,
	}
}

// fate ends the series of a removed interface.
func (p *packets) fate(_ *metrics.Builder, key *bpf.PacketSeries, _ *bpf.PacketCounts) metrics.Fate {
	if k, ok := p.scrape.known[key.Interface]; key.Interface != overflow && (!ok || k.gone) {
		return metrics.Remove
	}
	return metrics.Keep
}

// Scrape implements program.Program.
func (p *packets) Scrape(m *metrics.Builder) error {
	p.interfaces.reading.Lock()
	defer p.interfaces.reading.Unlock()
	p.scrape = scrape{known: p.interfaces.all(), counted: map[uint32]bool{}}
	all, err := p.counts.Scrape(m)
	p.interfaces.settle(p.scrape.counted)
	host := m.For(nil)
	for s, sum := range all {
		if s.interfaceName == "" && !s.overflow {
			continue
		}
		attributes := s.attributes()
		host.RecordEbpfPacketReceivedDataPoint(m.Now, int64(sum.Packets), attributes...)
		host.RecordEbpfPacketIoDataPoint(m.Now, int64(sum.Bytes), attributes...)
	}
	return err
}

func (s *series) attributes() []metadata.MetricAttributeOption {
	if s.overflow {
		return []metadata.MetricAttributeOption{metadata.WithOtelMetricOverflowMetricAttribute(true)}
	}
	attributes := []metadata.MetricAttributeOption{metadata.WithNetworkInterfaceNameMetricAttribute(s.interfaceName)}
	if transport := inet.TransportName(s.protocol, s.ipVersion); transport != "" {
		attributes = append(attributes, metadata.WithNetworkTransportMetricAttribute(transport))
	}
	if version := inet.TypeName(s.ipVersion); version != "" {
		attributes = append(attributes, metadata.WithNetworkTypeMetricAttribute(version))
	}
	if flags := inet.TCPFlags[s.traits&controlFlags]; flags != "" {
		attributes = append(attributes, metadata.WithEbpfTCPControlFlagsMetricAttribute(flags))
	}
	if s.traits&isFragment != 0 {
		attributes = append(attributes, metadata.WithEbpfPacketFragmentMetricAttribute(true))
	}
	if s.traits&hasLowTTL != 0 {
		attributes = append(attributes, metadata.WithEbpfPacketLowTTLMetricAttribute(true))
	}
	return attributes
}
