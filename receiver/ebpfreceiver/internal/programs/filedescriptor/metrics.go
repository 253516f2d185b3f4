// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package filedescriptor

import (
	"errors"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/filedescriptor"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics"
)

// series identifies a series of the map as users see it.
type series struct {
	metrics.Group
	operation uint32
	kind      uint32
}

func seriesOf(group metrics.Group, key *bpf.FileDescriptorSeries) series {
	return series{
		Group:     group,
		operation: key.Operation,
		kind:      key.Kind,
	}
}

// Scrape implements program.Program. It reads the open descriptors, and emits the leaks that it finds.
func (d *descriptors) Scrape(m *metrics.Builder) error {
	all, err := d.operations.Scrape(m)
	for s, sum := range all {
		recordOperations(m, s, int64(sum.Operations))
	}
	now := time.Now()
	d.leaks.begin(now.Sub(d.started))
	open, scanErr := d.scan()
	if scanErr != nil {
		return errors.Join(err, scanErr)
	}
	d.recordOpen(m, open)
	d.emit(d.leaks.end(), pcommon.NewTimestampFromTime(now))
	return err
}

func (d *descriptors) emit(leaks []leak, at pcommon.Timestamp) {
	if !d.host.Events.EbpfFileDescriptorLeak.Enabled {
		return
	}
	for _, l := range leaks {
		d.host.Emit(func(b *batch.Batch) { d.appendLeak(b, &l, at) })
	}
}

func recordOperations(m *metrics.Builder, s series, sum int64) {
	attributes := []metadata.MetricAttributeOption{
		metadata.WithEbpfFileDescriptorOperationMetricAttribute(operationName(s.operation)),
	}
	if s.Overflow {
		attributes = append(attributes, metadata.WithOtelMetricOverflowMetricAttribute(true))
	} else {
		attributes = append(attributes, metadata.WithEbpfFileDescriptorKindMetricAttribute(kindName(s.kind)))
	}
	m.For(s.Container).RecordEbpfFileDescriptorOperationsDataPoint(m.Now, sum, attributes...)
}

// recordOpen records the open descriptors of the top processes, by kind, and the sum of all others.
func (d *descriptors) recordOpen(m *metrics.Builder, open *snapshot) {
	for i := range open.top {
		c := &open.top[i]
		mb := m.For(m.Container(c.owner.Cgroup))
		attributes := []metadata.MetricAttributeOption{metadata.WithProcessPidMetricAttribute(int64(c.pid)), nil}
		if name := common.Text(c.owner.Executable[:]); len(name) > 0 {
			attributes = append(attributes, metadata.WithProcessExecutableNameMetricAttribute(d.names.Get(name)))
		}
		for kind, n := range c.open {
			if n > 0 {
				attributes[1] = metadata.WithEbpfFileDescriptorKindMetricAttribute(kindNames[kind])
				mb.RecordEbpfFileDescriptorCountDataPoint(m.Now, int64(n), attributes...)
			}
		}
	}
	for kind, n := range open.other {
		if n > 0 {
			m.For(nil).RecordEbpfFileDescriptorCountDataPoint(m.Now, int64(n),
				metadata.WithEbpfFileDescriptorKindMetricAttribute(kindNames[kind]), metadata.WithOtelMetricOverflowMetricAttribute(true))
		}
	}
}
