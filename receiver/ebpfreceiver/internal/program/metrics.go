// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
)

// Metrics gathers the metrics of one scrape, by container.
type Metrics struct {
	// Start and Now are the times of the cumulative data points.
	Start, Now pcommon.Timestamp
	// Kept are the attributes that are kept of metrics that lose some, by the metric's name.
	Kept map[string]metadata.MetricAttributes

	containers *kernel.Containers
	newBuilder func() *metadata.MetricsBuilder
	resources  map[*kernel.Container]*ResourceMetrics
	order      []*kernel.Container
}

// ResourceMetrics are the metrics of one container, or of the host.
type ResourceMetrics struct {
	*metadata.MetricsBuilder
	// Histograms are the metrics that mdatagen has no builder for.
	Histograms pmetric.MetricSlice
}

// NewMetrics returns an empty scrape. newBuilder makes a builder whose data points begin at start.
func NewMetrics(
	start, now pcommon.Timestamp, containers *kernel.Containers, newBuilder func() *metadata.MetricsBuilder,
) *Metrics {
	return &Metrics{
		Start:      start,
		Now:        now,
		containers: containers,
		newBuilder: newBuilder,
		resources:  map[*kernel.Container]*ResourceMetrics{},
	}
}

// Container returns the container that a cgroup belongs to, nil for the host's own.
func (m *Metrics) Container(cgroup uint64) *kernel.Container {
	if cgroup == 0 || cgroup == OverflowCgroup {
		return nil
	}
	return m.containers.Lookup(cgroup)
}

// For returns the metrics of a container; nil is the host.
func (m *Metrics) For(container *kernel.Container) *ResourceMetrics {
	if r, ok := m.resources[container]; ok {
		return r
	}
	r := &ResourceMetrics{MetricsBuilder: m.newBuilder(), Histograms: pmetric.NewMetricSlice()}
	m.resources[container] = r
	m.order = append(m.order, container)
	return r
}

// Histogram returns the metric of a histogram, for a data point to be added to.
func (r *ResourceMetrics) Histogram(info metadata.HistogramInfo) pmetric.Metric {
	for i := range r.Histograms.Len() {
		if metric := r.Histograms.At(i); metric.Name() == info.Name {
			return metric
		}
	}
	metric := r.Histograms.AppendEmpty()
	metric.SetName(info.Name)
	metric.SetDescription(info.Description)
	metric.SetUnit(info.Unit)
	return metric
}

// Emit returns what was gathered.
func (m *Metrics) Emit() pmetric.Metrics {
	all := pmetric.NewMetrics()
	for _, container := range m.order {
		r := m.resources[container]
		rb := r.NewResourceBuilder()
		if container != nil {
			batch.SetContainer(rb, container)
		}
		emitted := r.MetricsBuilder.Emit(metadata.WithResource(rb.Emit()), metadata.WithMetrics(r.Histograms))
		Regroup(emitted, m.Kept)
		emitted.ResourceMetrics().MoveAndAppendTo(all.ResourceMetrics())
	}
	return all
}
