// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package process

import (
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/process"
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

func seriesOf(m *program.Metrics, key *bpf.ProcessSeries) series {
	return series{
		container: m.Container(key.Cgroup),
		overflow:  key.Cgroup == program.OverflowCgroup,
		outcome:   key.Outcome,
		signal:    key.Signal,
	}
}

func fate(m *program.Metrics, key *bpf.ProcessSeries, _ *bpf.ProcessCounts) program.Fate {
	return m.Fate(key.Cgroup)
}

// Scrape implements program.Program.
func (p *processes) Scrape(m *program.Metrics) error {
	all, err := p.counts.Scrape(m)
	for s, sum := range all {
		record(m, s, int64(sum.Processes))
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
