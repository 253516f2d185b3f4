// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/syscalls"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/histogram"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

// named are the calls of one name that a container has made: of both tables, which have the same names for the same.
type named struct {
	container *kernel.Container
	overflow  bool
	name      string
}

// failed are those that have failed in one way.
type failed struct {
	named
	errorType string
}

// series is a part of both: the calls whose durations are in one slot of their histogram.
type series struct {
	failed
	slot uint16
}

// durations are a histogram.
type durations struct {
	slots [histogram.Slots]uint64
	sum   uint64
}

// anyError stands for the errors of calls that found no room.
const anyError = "any"

func seriesOf(m *program.Metrics, key *bpf.SyscallSeries) series {
	s := series{slot: key.Slot}
	if key.Cgroup == program.OverflowCgroup {
		s.overflow = true
		if key.Error != 0 {
			s.errorType = anyError
		}
		return s
	}
	s.container, s.name, s.errorType = m.Container(key.Cgroup), callName(int(key.Call)), kernel.ErrorType(key.Error)
	return s
}

func fate(m *program.Metrics, key *bpf.SyscallSeries, _ *bpf.SyscallCounts) program.Fate {
	return m.Fate(key.Cgroup)
}

// Scrape implements program.Program.
func (c *calls) Scrape(m *program.Metrics) error {
	all, err := c.counts.Scrape(m)
	histograms, errors := map[named]*durations{}, map[failed]uint64{}
	for s, sum := range all {
		if s.errorType != "" {
			errors[s.failed] += sum.Calls
		}
		h := histograms[s.named]
		if h == nil {
			h = &durations{}
			histograms[s.named] = h
		}
		if int(s.slot) < len(h.slots) {
			h.slots[s.slot] += sum.Calls
			h.sum += sum.Time
		}
	}
	for s, n := range errors {
		m.For(s.container).RecordEbpfSyscallErrorsDataPoint(m.Now, int64(n), attributesOf(s)...)
	}
	if c.host.Histograms.EbpfSyscallDuration.Enabled {
		for s, h := range histograms {
			c.recordDurations(m, s, h)
		}
	}
	return err
}

func attributesOf(s failed) []metadata.MetricAttributeOption {
	if s.overflow {
		return []metadata.MetricAttributeOption{metadata.WithOtelMetricOverflowMetricAttribute(true)}
	}
	return []metadata.MetricAttributeOption{
		metadata.WithEbpfSyscallNameMetricAttribute(s.name),
		metadata.WithErrorTypeMetricAttribute(s.errorType),
	}
}

func (c *calls) recordDurations(m *program.Metrics, s named, h *durations) {
	metric := m.For(s.container).Histogram(metadata.EbpfSyscallDuration)
	attributes := c.host.Histogram.Append(metric, h.slots[:], h.sum, m.Start, m.Now)
	if s.overflow {
		attributes.PutBool("otel.metric.overflow", true)
		return
	}
	attributes.PutStr("ebpf.syscall.name", s.name)
}
