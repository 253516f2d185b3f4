// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package connection

import (
	"net/netip"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/listeners"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics/inet"
)

// listenerSeries identifies the series of a listener. Listeners of one process that share an address and port have one series.
type listenerSeries struct {
	container  *kernel.Container
	address    netip.Addr
	port       uint16
	pid        uint32
	executable string
}

// queue has the values of a series.
type queue struct {
	overflows uint64
	// backlog and limit are those of the last scrape.
	backlog, limit uint64
	// listeners is how many exist. scrape is the number of the last scrape that found one, open or closed.
	listeners int
	scrape    uint64
}

// queues are the accept queues of all listeners.
type queues struct {
	reader listeners.Reader
	series map[listenerSeries]*queue
	scrape uint64
	names  *batch.Names
}

// overflowsKept is the number of scrapes in which a closed listener still has its series, so that its last overflows are exported.
const overflowsKept = 3

func (q *queues) scrapeInto(m *metrics.Builder) error {
	if q.reader.Update == nil {
		return nil
	}
	all, err := q.reader.Read()
	if err != nil {
		return err
	}
	q.scrape++
	for _, one := range q.series {
		one.backlog, one.limit, one.listeners = 0, 0, 0
	}
	for _, l := range all {
		q.add(m, l)
	}
	for s, one := range q.series {
		if q.scrape-one.scrape >= overflowsKept {
			delete(q.series, s)
			continue
		}
		recordQueue(m, s, one)
	}
	return nil
}

func (q *queues) add(m *metrics.Builder, l *listeners.Listener) {
	s := listenerSeries{
		container:  m.Container(l.Owner.Cgroup),
		address:    common.Addr(l.Address.Octets),
		port:       l.Port.Number,
		pid:        l.Owner.Pid,
		executable: q.names.Get(common.Text(l.Owner.Executable[:])),
	}
	one := q.series[s]
	if one == nil {
		one = &queue{}
		q.series[s] = one
	}
	one.scrape = q.scrape
	one.overflows += l.New
	if l.Gone != 0 {
		return
	}
	one.listeners++
	one.backlog += uint64(l.Backlog)
	one.limit += uint64(l.Limit)
}

func recordQueue(m *metrics.Builder, s listenerSeries, one *queue) {
	mb := m.For(s.container)
	attributes := []metadata.MetricAttributeOption{
		metadata.WithNetworkTypeMetricAttribute(inet.TypeOf(s.address)),
		metadata.WithServerAddressMetricAttribute(s.address.String()),
		metadata.WithServerPortMetricAttribute(int64(s.port)),
	}
	if s.pid != 0 {
		attributes = append(attributes, metadata.WithProcessPidMetricAttribute(int64(s.pid)))
	}
	if s.executable != "" {
		attributes = append(attributes, metadata.WithProcessExecutableNameMetricAttribute(s.executable))
	}
	mb.RecordEbpfListenerOverflowsDataPoint(m.Now, int64(one.overflows), attributes...)
	if one.listeners > 0 {
		mb.RecordEbpfListenerBacklogDataPoint(m.Now, int64(one.backlog), attributes...)
		mb.RecordEbpfListenerLimitDataPoint(m.Now, int64(one.limit), attributes...)
	}
}
