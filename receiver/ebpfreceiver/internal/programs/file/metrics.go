// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package file

import (
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/file"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics"
)

// series identifies a series of the map as users see it.
type series struct {
	metrics.Group
	operation uint8
	uncertain bool
	errorType string
}

func seriesOf(group metrics.Group, key *bpf.FileSeries) series {
	return series{
		Group:     group,
		operation: key.Operation,
		uncertain: key.Uncertain != 0,
		errorType: kernel.ErrorType(key.Error),
	}
}

// Scrape implements program.Program.
func (f *files) Scrape(m *metrics.Builder) error {
	all, err := f.counts.Scrape(m)
	for s, sum := range all {
		record(m, s, int64(sum.Operations))
	}
	return err
}

func record(m *metrics.Builder, s series, sum int64) {
	mb := m.For(s.Container)
	var attributes []metadata.MetricAttributeOption
	if s.Overflow {
		attributes = append(attributes, metadata.WithOtelMetricOverflowMetricAttribute(true))
	}
	if s.errorType != "" {
		attributes = append(attributes, metadata.WithErrorTypeMetricAttribute(s.errorType))
	}
	if s.operation == opened {
		mb.RecordEbpfFileOpensDataPoint(m.Now, sum, attributes...)
		return
	}
	if s.uncertain {
		attributes = append(attributes, metadata.WithEbpfFileDeletionUncertainMetricAttribute(true))
	}
	if !s.Overflow {
		attributes = append(attributes, metadata.WithEbpfFileDeletionKindMetricAttribute(kinds[s.operation]))
	}
	mb.RecordEbpfFileDeletionsDataPoint(m.Now, sum, attributes...)
}
