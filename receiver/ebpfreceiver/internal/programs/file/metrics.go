// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package file

import (
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/file"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

// series is a series of the map as users see it: by container, because a container may have several cgroups.
type series struct {
	container *kernel.Container
	overflow  bool
	operation uint8
	uncertain bool
	errorType string
}

func seriesOf(m *program.Metrics, key *bpf.FileSeries) series {
	return series{
		container: m.Container(key.Cgroup),
		overflow:  key.Cgroup == program.OverflowCgroup,
		operation: key.Operation,
		uncertain: key.Uncertain != 0,
		errorType: kernel.ErrorType(key.Error),
	}
}

func fate(m *program.Metrics, key *bpf.FileSeries, _ *bpf.FileCounts) program.Fate {
	return m.Fate(key.Cgroup)
}

// Scrape implements program.Program.
func (f *files) Scrape(m *program.Metrics) error {
	all, err := f.counts.Scrape(m)
	for s, sum := range all {
		record(m, s, int64(sum.Operations))
	}
	return err
}

func record(m *program.Metrics, s series, sum int64) {
	mb := m.For(s.container)
	var attributes []metadata.MetricAttributeOption
	if s.overflow {
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
	if !s.overflow {
		attributes = append(attributes, metadata.WithEbpfFileDeletionKindMetricAttribute(kinds[s.operation]))
	}
	mb.RecordEbpfFileDeletionsDataPoint(m.Now, sum, attributes...)
}
