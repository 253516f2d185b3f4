// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package oom

import (
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/oom"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

// series is a series of the map as users see it: by container, because a container may have several cgroups.
type series struct {
	container *kernel.Container
	overflow  bool
}

func seriesOf(m *program.Metrics, key *bpf.OomSeries) series {
	return series{container: m.Container(key.Cgroup), overflow: key.Cgroup == program.OverflowCgroup}
}

func fate(m *program.Metrics, key *bpf.OomSeries, _ *bpf.OomCounts) program.Fate {
	return m.Fate(key.Cgroup)
}

// Scrape implements program.Program.
func (k *kills) Scrape(m *program.Metrics) error {
	all, err := k.counts.Scrape(m)
	for s, sum := range all {
		if s.overflow {
			m.For(nil).RecordEbpfOomKillsDataPoint(m.Now, int64(sum.Kills), metadata.WithOtelMetricOverflowMetricAttribute(true))
		} else {
			m.For(s.container).RecordEbpfOomKillsDataPoint(m.Now, int64(sum.Kills))
		}
	}
	return err
}
