// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package runqueue

import (
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/runqueue"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics"
)

func seriesOf(group metrics.Group, _ *bpf.RunqueueSeries) metrics.Group { return group }

// Scrape implements program.Program.
func (w *waits) Scrape(m *metrics.Builder) error {
	all, err := w.times.Scrape(m)
	if !w.host.Histograms.EbpfRunqueueDuration.Enabled {
		return err
	}
	for s, sum := range all {
		metric := m.For(s.Container).Histogram(metadata.EbpfRunqueueDuration)
		attributes := w.host.Histogram.Append(metric, sum.Slots[:], sum.Sum, m.Start, m.Now)
		if s.Overflow {
			attributes.PutBool("otel.metric.overflow", true)
		}
	}
	return err
}
