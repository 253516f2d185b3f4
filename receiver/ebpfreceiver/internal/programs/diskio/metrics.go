// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package diskio

import (
	conventions "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/diskio"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics"
)

// series identifies a series of the map as users see it.
type series struct {
	metrics.Group
	device    string
	operation string
	errorType string
}

func (o *operations) seriesOf(group metrics.Group, key *bpf.DiskIOSeries) series {
	if group.Overflow {
		return series{Group: group}
	}
	return series{
		Group:     group,
		device:    deviceName(&key.Disk),
		operation: o.names.operation(key.Operation),
		errorType: errorType(key.Error),
	}
}

func deviceName(disk *[32]int8) string { return string(common.Text(disk[:])) }

// fate ends the series of a removed device, and those of a removed cgroup.
func (o *operations) fate(m *metrics.Builder, key *bpf.DiskIOSeries, _ *bpf.DiskIOCounts) metrics.Fate {
	if key.Cgroup != metrics.OverflowCgroup && o.devices.countAbsence(deviceName(&key.Disk)) {
		return metrics.Remove
	}
	return m.Fate(key.Cgroup)
}

// countAbsence reports whether the device of a series was removed: see devices.
func (o *operations) countAbsence(s series) (gone bool) {
	return !s.Overflow && o.devices.countAbsence(s.device)
}

// Scrape implements program.Program.
func (o *operations) Scrape(m *metrics.Builder) error {
	o.devices.update()
	o.warnOfMemoryDisks()
	o.counts.Forget(o.countAbsence)
	all, err := o.counts.Scrape(m)
	bytes := map[series]uint64{}
	for s, sum := range all {
		if o.countAbsence(s) {
			continue
		}
		if o.host.Histograms.EbpfDiskOperationDuration.Enabled {
			o.recordDurations(m, s, &sum.Durations)
		}
		s.errorType = "" // the part of a failed operation that was completed counts with the successful ones
		bytes[s] += sum.Bytes
	}
	for s, n := range bytes {
		if n > 0 {
			m.For(s.Container).RecordEbpfDiskIoDataPoint(m.Now, int64(n), ioAttributes(s)...)
		}
	}
	return err
}

func (o *operations) recordDurations(m *metrics.Builder, s series, durations *bpf.DiskIOHistogram) {
	metric := m.For(s.Container).Histogram(metadata.EbpfDiskOperationDuration)
	attributes := o.host.Histogram.Append(metric, durations.Slots[:], durations.Sum, m.Start, m.Now)
	if s.Overflow {
		attributes.PutBool("otel.metric.overflow", true)
		return
	}
	attributes.PutStr(string(conventions.SystemDeviceKey), s.device)
	attributes.PutStr("ebpf.disk.operation.type", s.operation)
	if way := direction(s.operation); way != "" {
		attributes.PutStr(string(conventions.DiskIODirectionKey), way)
	}
	if s.errorType != "" {
		attributes.PutStr(string(conventions.ErrorTypeKey), s.errorType)
	}
}

func ioAttributes(s series) []metadata.MetricAttributeOption {
	if s.Overflow {
		return []metadata.MetricAttributeOption{metadata.WithOtelMetricOverflowMetricAttribute(true)}
	}
	attributes := []metadata.MetricAttributeOption{
		metadata.WithSystemDeviceMetricAttribute(s.device),
		metadata.WithEbpfDiskOperationTypeMetricAttribute(s.operation),
	}
	if way := direction(s.operation); way != "" {
		attributes = append(attributes, metadata.WithDiskIoDirectionMetricAttribute(way))
	}
	return attributes
}
