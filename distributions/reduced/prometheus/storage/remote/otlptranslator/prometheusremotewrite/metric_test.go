// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package prometheusremotewrite

import (
	"testing"

	"github.com/prometheus/otlptranslator"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// Only monotonic sums get the suffix _total. All metrics get the suffix of their unit.
func TestNames(t *testing.T) {
	for want, set := range map[string]func(pmetric.Metric){
		"disk_free_bytes":       func(m pmetric.Metric) { m.SetEmptyGauge() },
		"disk_free_bytes_total": func(m pmetric.Metric) { m.SetEmptySum().SetIsMonotonic(true) },
	} {
		metric := pmetric.NewMetric()
		metric.SetName("disk.free")
		metric.SetUnit("By")
		set(metric)
		namer := otlptranslator.MetricNamer{WithMetricSuffixes: true}
		if name, err := namer.Build(TranslatorMetricFromOtelMetric(metric)); err != nil || name != want {
			t.Errorf("%s is named %q: %v, want %q", metric.Type(), name, err, want)
		}
	}
}

func TestTypes(t *testing.T) {
	for want, set := range map[otlptranslator.MetricType]func(pmetric.Metric){
		otlptranslator.MetricTypeUnknown:              func(pmetric.Metric) {},
		otlptranslator.MetricTypeGauge:                func(m pmetric.Metric) { m.SetEmptyGauge() },
		otlptranslator.MetricTypeNonMonotonicCounter:  func(m pmetric.Metric) { m.SetEmptySum() },
		otlptranslator.MetricTypeMonotonicCounter:     func(m pmetric.Metric) { m.SetEmptySum().SetIsMonotonic(true) },
		otlptranslator.MetricTypeHistogram:            func(m pmetric.Metric) { m.SetEmptyHistogram() },
		otlptranslator.MetricTypeExponentialHistogram: func(m pmetric.Metric) { m.SetEmptyExponentialHistogram() },
		otlptranslator.MetricTypeSummary:              func(m pmetric.Metric) { m.SetEmptySummary() },
	} {
		metric := pmetric.NewMetric()
		set(metric)
		if got := TranslatorMetricFromOtelMetric(metric).Type; got != want {
			t.Errorf("%s has type %v, want %v", metric.Type(), got, want)
		}
	}
}
