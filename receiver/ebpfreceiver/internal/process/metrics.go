// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package process

import (
	"github.com/otelcol-ebpf/otelcol-ebpf/bpf"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

// series is a series of the map as users see it: by container, because a container may have several cgroups.
type series struct {
	container *kernel.Container
	overflow  bool
	outcome   uint8
	signal    uint8
}

// Scrape implements program.Program.
func (p *processes) Scrape(m *program.Metrics) error {
	all := map[series]uint64{}
	err := program.Each(p.counts, func(key *bpf.ProcessSeries, values []bpf.ProcessCounts) {
		s := series{
			container: m.Container(key.Cgroup),
			overflow:  key.Cgroup == program.OverflowCgroup,
			outcome:   key.Outcome,
			signal:    key.Signal,
		}
		for i := range values {
			all[s] += values[i].Processes
		}
	})
	for s, sum := range all {
		if sum > 0 {
			record(m, s, int64(sum))
		}
	}
	return err
}

func record(m *program.Metrics, s series, sum int64) {
	mb := m.For(s.container)
	var attributes []metadata.MetricAttributeOption
	if s.overflow {
		attributes = append(attributes, metadata.WithOtelMetricOverflowMetricAttribute(true))
	}
	if s.outcome == executed {
		mb.RecordEbpfProcessExecutionsDataPoint(m.Now, sum, attributes...)
		return
	}
	if !s.overflow {
		attributes = append(attributes, metadata.WithEbpfProcessExitClassMetricAttribute(className(s.outcome)))
	}
	if s.outcome == signalled {
		attributes = append(attributes, metadata.WithEbpfProcessExitSignalMetricAttribute(signalName(s.signal)))
	}
	mb.RecordEbpfProcessExitsDataPoint(m.Now, sum, attributes...)
}
