// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	"go.opentelemetry.io/collector/pdata/pcommon"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/syscalls"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics/histogram"
)

// named are the calls of one name in one container. The two tables of an architecture are summed by name.
type named struct {
	metrics.Group
	name string
}

// failed are the calls that failed with one error.
type failed struct {
	named
	errorType string
}

// series are the calls whose durations are in one slot of their histogram.
type series struct {
	failed
	slot uint16
}

// durations is a histogram.
type durations struct {
	slots [histogram.Slots]uint64
	sum   uint64
}

// anyError stands for the errors of failed calls that found no room in the map.
const anyError = "any"

func seriesOf(group metrics.Group, key *bpf.SyscallSeries) series {
	s := series{slot: key.Slot}
	s.Group = group
	if group.Overflow {
		if key.Error != 0 {
			s.errorType = anyError
		}
		return s
	}
	s.name, s.errorType = callName(int(key.Call)), kernel.ErrorType(key.Error)
	return s
}

// Scrape implements program.Program.
func (c *calls) Scrape(m *metrics.Builder) error {
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
		m.For(s.Container).RecordEbpfSyscallErrorsDataPoint(m.Now, int64(n), attributesOf(s)...)
	}
	if c.host.Histograms.EbpfSyscallDuration.Enabled {
		for s, h := range histograms {
			c.recordDurations(m, s, h)
		}
	}
	return err
}

func attributesOf(s failed) []metadata.MetricAttributeOption {
	if s.Overflow {
		return []metadata.MetricAttributeOption{metadata.WithOtelMetricOverflowMetricAttribute(true)}
	}
	return []metadata.MetricAttributeOption{
		metadata.WithEbpfSyscallNameMetricAttribute(s.name),
		metadata.WithErrorTypeMetricAttribute(s.errorType),
	}
}

func (c *calls) recordDurations(m *metrics.Builder, s named, h *durations) {
	metric := m.For(s.Container).Histogram(metadata.EbpfSyscallDuration)
	var attributes pcommon.Map
	if c.config.detail() == detailFull {
		attributes = c.host.Histogram.Append(metric, h.slots[:], h.sum, m.Start, m.Now)
	} else {
		attributes = histogram.AppendTotal(metric, h.slots[0], h.sum, m.Start, m.Now)
	}
	if s.Overflow {
		attributes.PutBool("otel.metric.overflow", true)
		return
	}
	attributes.PutStr("ebpf.syscall.name", s.name)
}
