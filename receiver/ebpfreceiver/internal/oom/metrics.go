// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package oom

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
}

// Scrape implements program.Program.
func (k *kills) Scrape(m *program.Metrics) error {
	all := map[series]uint64{}
	err := program.Each(k.counts, func(key *bpf.OomSeries, values []bpf.OomCounts) {
		s := series{container: m.Container(key.Cgroup), overflow: key.Cgroup == program.OverflowCgroup}
		for i := range values {
			all[s] += values[i].Kills
		}
	})
	for s, sum := range all {
		switch {
		case sum == 0:
		case s.overflow:
			m.For(nil).RecordEbpfOomKillsDataPoint(m.Now, int64(sum), metadata.WithOtelMetricOverflowMetricAttribute(true))
		default:
			m.For(s.container).RecordEbpfOomKillsDataPoint(m.Now, int64(sum))
		}
	}
	return err
}
