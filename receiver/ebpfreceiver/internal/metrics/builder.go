// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package metrics turns the maps that programs count in into OTLP metrics.
package metrics

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
)

// Builder collects the metrics of one scrape, by container.
type Builder struct {
	// Start and Now are the times of cumulative data points.
	Start, Now pcommon.Timestamp
	// Kept are the attributes that are kept of metrics that lose some, by the metric's name.
	Kept map[string]metadata.MetricAttributes

	containers *kernel.Containers
	newBuilder func() *metadata.MetricsBuilder
	resources  map[*kernel.Container]*Resource
	order      []*kernel.Container
}

// Resource collects the metrics of one container, or of the host.
type Resource struct {
	*metadata.MetricsBuilder
	// Histograms are the metrics that mdatagen makes no builder for.
	Histograms pmetric.MetricSlice
}

// NewBuilder returns a builder for one scrape. newBuilder makes the builder of one resource, whose data points begin at start.
func NewBuilder(
	start, now pcommon.Timestamp, containers *kernel.Containers, newBuilder func() *metadata.MetricsBuilder,
) *Builder {
	return &Builder{
		Start:      start,
		Now:        now,
		containers: containers,
		newBuilder: newBuilder,
		resources:  map[*kernel.Container]*Resource{},
	}
}

// For returns the metrics of a container; nil is the host.
func (b *Builder) For(container *kernel.Container) *Resource {
	if r, ok := b.resources[container]; ok {
		return r
	}
	r := &Resource{MetricsBuilder: b.newBuilder(), Histograms: pmetric.NewMetricSlice()}
	b.resources[container] = r
	b.order = append(b.order, container)
	return r
}

// Histogram returns the metric of a histogram, for a data point to be added to.
func (r *Resource) Histogram(info metadata.HistogramInfo) pmetric.Metric {
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

// Emit returns the metrics of all resources, in the order in which they were first asked for.
func (b *Builder) Emit() pmetric.Metrics {
	all := pmetric.NewMetrics()
	for _, container := range b.order {
		r := b.resources[container]
		rb := r.NewResourceBuilder()
		if container != nil {
			batch.SetContainer(rb, container)
		}
		emitted := r.MetricsBuilder.Emit(metadata.WithResource(rb.Emit()), metadata.WithMetrics(r.Histograms))
		Regroup(emitted, b.Kept)
		emitted.ResourceMetrics().MoveAndAppendTo(all.ResourceMetrics())
	}
	return all
}
