// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package oom

import (
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/oom"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics"
)

func seriesOf(group metrics.Group, _ *bpf.OomSeries) metrics.Group { return group }

// Scrape implements program.Program. A container has its series before its first kill: for Prometheus, a counter that appears with a
// value has no increase.
func (k *kills) Scrape(m *metrics.Builder) error {
	all, err := k.counts.Scrape(m)
	for _, group := range m.Groups() {
		if all[group] == nil {
			m.For(group.Container).RecordEbpfOomKillsDataPoint(m.Now, 0)
		}
	}
	for s, sum := range all {
		if s.Overflow {
			m.For(nil).RecordEbpfOomKillsDataPoint(m.Now, int64(sum.Kills), metadata.WithOtelMetricOverflowMetricAttribute(true))
		} else {
			m.For(s.Container).RecordEbpfOomKillsDataPoint(m.Now, int64(sum.Kills))
		}
	}
	return err
}
