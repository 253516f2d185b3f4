// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package metadata

import "go.opentelemetry.io/collector/pdata/pmetric"

// WithOverflowMetricAttribute marks a data point that stands for all series that found no room: otel.metric.overflow of
// the OpenTelemetry specification.
func WithOverflowMetricAttribute() MetricAttributeOption {
	return metricAttributeOptionFunc(func(dp pmetric.NumberDataPoint) {
		dp.Attributes().PutBool("otel.metric.overflow", true)
	})
}
