// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package filedescriptor

import (
	"errors"
	"time"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/filedescriptor"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

// series is a series of the map as users see it: by container, because a container may have several cgroups.
type series struct {
	container *kernel.Container
	overflow  bool
	operation uint32
	kind      uint32
}

func seriesOf(m *program.Metrics, key *bpf.FileDescriptorSeries) series {
	return series{
		container: m.Container(key.Cgroup),
		overflow:  key.Cgroup == program.OverflowCgroup,
		operation: key.Operation,
		kind:      key.Kind,
	}
}

func fate(m *program.Metrics, key *bpf.FileDescriptorSeries, _ *bpf.FileDescriptorCounts) program.Fate {
	return m.Fate(key.Cgroup)
}

// Scrape implements program.Program. It looks at what is open now, and finds out what leaks.
func (d *descriptors) Scrape(m *program.Metrics) error {
	all, err := d.operations.Scrape(m)
	for s, sum := range all {
		recordOperations(m, s, int64(sum.Operations))
	}
	d.growths.begin(time.Since(d.started))
	c, scanErr := d.scan()
	if scanErr != nil {
		return errors.Join(err, scanErr)
	}
	d.record(m, c)
	errs := []error{err}
	for _, leak := range d.growths.end() {
		errs = append(errs, d.tell(&leak))
	}
	return errors.Join(errs...)
}

func recordOperations(m *program.Metrics, s series, sum int64) {
	attributes := []metadata.MetricAttributeOption{
		metadata.WithEbpfFileDescriptorOperationMetricAttribute(operationName(s.operation)),
	}
	if s.overflow {
		attributes = append(attributes, metadata.WithOtelMetricOverflowMetricAttribute(true))
	} else {
		attributes = append(attributes, metadata.WithEbpfFileDescriptorKindMetricAttribute(kindName(s.kind)))
	}
	m.For(s.container).RecordEbpfFileDescriptorOperationsDataPoint(m.Now, sum, attributes...)
}

// record adds what each process has open, by kind, and what all those have that are not told apart.
func (d *descriptors) record(m *program.Metrics, c *census) {
	for i := range c.most {
		h := &c.most[i]
		mb := m.For(m.Container(h.owner.Cgroup))
		attributes := []metadata.MetricAttributeOption{metadata.WithProcessPidMetricAttribute(int64(h.pid)), nil}
		if name := common.Text(h.owner.Executable[:]); len(name) > 0 {
			attributes = append(attributes, metadata.WithProcessExecutableNameMetricAttribute(d.names.Get(name)))
		}
		for kind, n := range h.open {
			if n > 0 {
				attributes[1] = metadata.WithEbpfFileDescriptorKindMetricAttribute(kindNames[kind])
				mb.RecordEbpfFileDescriptorCountDataPoint(m.Now, int64(n), attributes...)
			}
		}
	}
	for kind, n := range c.rest {
		if n > 0 {
			m.For(nil).RecordEbpfFileDescriptorCountDataPoint(m.Now, int64(n),
				metadata.WithEbpfFileDescriptorKindMetricAttribute(kindNames[kind]), metadata.WithOtelMetricOverflowMetricAttribute(true))
		}
	}
}
