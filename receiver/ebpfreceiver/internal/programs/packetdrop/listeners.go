// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package packetdrop

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	conventions "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/packetdrop"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/listeners"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics/inet"
)

// overflows are the drops that no hook sees: the kernel frees a SYN that finds the accept queue full like a delivered packet. Counters
// show them, which are read at each scrape.
type overflows struct {
	reader listeners.Reader
	reason uint32
	// reported are the overflows of each listener that the hook has reported.
	reported map[listeners.ID]uint64
	// counts are added to those of the map.
	counts map[bpf.PacketDropSeries]uint64
}

// scrapeOverflows counts and emits the drops since the last scrape.
func (d *drops) scrapeOverflows(m *metrics.Builder) error {
	o := &d.overflows
	all, err := o.reader.Read()
	if err != nil {
		return err
	}
	reported := map[listeners.ID]uint64{}
	for _, l := range all {
		// The hook may see an overflow before the counter is read. It is subtracted at the next scrape then.
		before := o.reported[l.ID()]
		taken := min(l.New, uint64(l.Reported)-before)
		reported[l.ID()] = before + taken
		if n := l.New - taken; n > 0 {
			d.drop(m, l, n)
		}
	}
	o.reported = reported
	return nil
}

// drop counts n drops at a listener, and emits an event for each.
func (d *drops) drop(m *metrics.Builder, l *listeners.Listener, n uint64) {
	key := bpf.PacketDropSeries{Cgroup: l.Owner.Cgroup, Reason: d.overflows.reason, Protocol: inet.ProtocolTCP, Type: 6}
	if common.Addr(l.Address.Octets).Is4() {
		key.Type = 4
	}
	d.overflows.counts[key] += n
	if !d.host.Events.EbpfPacketDrop.Enabled {
		return
	}
	for range n {
		d.host.Emit(func(b *batch.Batch) { d.appendOverflow(b, l, m.Now) })
	}
}

// addOverflows adds the counts to the series of the map. The counts of a container that is gone are removed.
func (d *drops) addOverflows(m *metrics.Builder, all map[series]*bpf.PacketDropCounts) {
	for key, n := range d.overflows.counts {
		if m.Fate(key.Cgroup) == metrics.Remove {
			delete(d.overflows.counts, key)
			continue
		}
		s := seriesOf(m.Group(key.Cgroup), &key)
		if all[s] == nil {
			all[s] = &bpf.PacketDropCounts{}
		}
		all[s].Packets += n
	}
}

// appendOverflow appends the event of a drop. at is when it was found.
func (d *drops) appendOverflow(b *batch.Batch, l *listeners.Listener, at pcommon.Timestamp) {
	reason, subsystem := d.host.DropReason(d.overflows.reason)
	address := common.Addr(l.Address.Octets)
	event := b.EventAt(at, l.Owner.Cgroup, "ebpf.packet.drop", plog.SeverityNumberWarn)
	event.PutStr("ebpf.drop.reason", reason)
	event.PutStr("ebpf.drop.subsystem", subsystem)
	event.PutStr(string(conventions.NetworkTransportKey), "tcp")
	event.PutStr(string(conventions.NetworkTypeKey), inet.TypeOf(address))
	if !address.IsUnspecified() {
		event.PutAddress(string(conventions.DestinationAddressKey), address)
	}
	event.PutInt(string(conventions.DestinationPortKey), int64(l.Port.Number))
	attribution := common.AttributionReceivingSocket
	if l.Owner.Pid == 0 {
		attribution = common.AttributionNone
	}
	event.PutOwner(&l.Owner, uint8(attribution))
	event.PutInt("ebpf.network.namespace", int64(l.Port.Netns))
	event.End(func(text []byte) []byte {
		text = append(text, "tcp → "...)
		text = append(b.AppendEndpoint(text, address, l.Port.Number), " dropped: the accept queue of the listener is full"...)
		if l.Owner.Pid != 0 {
			text = b.AppendOwner(append(text, ", "...), &l.Owner)
		}
		return text
	})
}
