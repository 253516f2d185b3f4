// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package prometheusremotewrite is what the exporter prometheus needs of the package of this name.
package prometheusremotewrite

import (
	"github.com/prometheus/otlptranslator"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// TranslatorMetricFromOtelMetric describes a metric to the translator of names.
func TranslatorMetricFromOtelMetric(metric pmetric.Metric) otlptranslator.Metric {
	return otlptranslator.Metric{Name: metric.Name(), Unit: metric.Unit(), Type: typeOf(metric)}
}

func typeOf(metric pmetric.Metric) otlptranslator.MetricType {
	switch metric.Type() {
	case pmetric.MetricTypeGauge:
		return otlptranslator.MetricTypeGauge
	case pmetric.MetricTypeSum:
		if metric.Sum().IsMonotonic() {
			return otlptranslator.MetricTypeMonotonicCounter
		}
		return otlptranslator.MetricTypeNonMonotonicCounter
	case pmetric.MetricTypeHistogram:
		return otlptranslator.MetricTypeHistogram
	case pmetric.MetricTypeExponentialHistogram:
		return otlptranslator.MetricTypeExponentialHistogram
	case pmetric.MetricTypeSummary:
		return otlptranslator.MetricTypeSummary
	case pmetric.MetricTypeEmpty:
	}
	return otlptranslator.MetricTypeUnknown
}
