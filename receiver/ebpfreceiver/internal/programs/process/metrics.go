// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package process

import (
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/process"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics"
)

// series identifies a series of the map as users see it.
type series struct {
	metrics.Group
	outcome uint8
	signal  uint8
}

func seriesOf(group metrics.Group, key *bpf.ProcessSeries) series {
	return series{
		Group:   group,
		outcome: key.Outcome,
		signal:  key.Signal,
	}
}

// Scrape implements program.Program.
func (p *processes) Scrape(m *metrics.Builder) error {
	all, err := p.counts.Scrape(m)
	for s, sum := range all {
		record(m, s, int64(sum.Processes))
	}
	return err
}

func record(m *metrics.Builder, s series, sum int64) {
	mb := m.For(s.Container)
	var attributes []metadata.MetricAttributeOption
	if s.Overflow {
		attributes = append(attributes, metadata.WithOtelMetricOverflowMetricAttribute(true))
	}
	if s.outcome == executed {
		mb.RecordEbpfProcessExecutionsDataPoint(m.Now, sum, attributes...)
		return
	}
	if !s.Overflow {
		attributes = append(attributes, metadata.WithEbpfProcessExitClassMetricAttribute(className(s.outcome)))
	}
	if s.outcome == signalled {
		attributes = append(attributes, metadata.WithEbpfProcessExitSignalMetricAttribute(signalName(s.signal)))
	}
	mb.RecordEbpfProcessExitsDataPoint(m.Now, sum, attributes...)
}
