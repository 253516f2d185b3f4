// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package runqueue

import (
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/runqueue"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

// series is a series of the map as users see it: by container, because a container may have several cgroups.
type series struct {
	container *kernel.Container
	overflow  bool
}

func seriesOf(m *program.Metrics, key *bpf.RunqueueSeries) series {
	return series{container: m.Container(key.Cgroup), overflow: key.Cgroup == program.OverflowCgroup}
}

func fate(m *program.Metrics, key *bpf.RunqueueSeries, _ *bpf.RunqueueHistogram) program.Fate {
	return m.Fate(key.Cgroup)
}

// Scrape implements program.Program.
func (w *waits) Scrape(m *program.Metrics) error {
	all, err := w.times.Scrape(m)
	if !w.host.Histograms.EbpfRunqueueDuration.Enabled {
		return err
	}
	for s, sum := range all {
		metric := m.For(s.container).Histogram(metadata.EbpfRunqueueDuration)
		attributes := w.host.Histogram.Append(metric, sum.Slots[:], sum.Sum, m.Start, m.Now)
		if s.overflow {
			attributes.PutBool("otel.metric.overflow", true)
		}
	}
	return err
}
