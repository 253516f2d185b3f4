// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package programtest

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics"
)

// checkWithoutAttributes removes each attribute of a metric, and then all. It checks that one data point is left per
// resource and remaining attributes, with the sum of the points that became equal.
func checkWithoutAttributes(t *testing.T, metrics pmetric.Metrics) {
	t.Helper()
	attributes := map[string]map[string]bool{}
	eachPoint(metrics, func(_, metric string, a pcommon.Map, _ map[string]float64) {
		if attributes[metric] == nil {
			attributes[metric] = map[string]bool{}
		}
		for key := range a.All() {
			attributes[metric][key] = true
		}
	})
	for metric, all := range attributes {
		for off := range all {
			kept := slices.DeleteFunc(slices.Collect(maps.Keys(all)), func(key string) bool { return key == off })
			checkKept(t, metrics, metric, kept)
		}
		checkKept(t, metrics, metric, nil)
	}
}

func checkKept(t *testing.T, all pmetric.Metrics, name string, kept metadata.MetricAttributes) {
	t.Helper()
	want := map[string]map[string]float64{}
	eachPoint(all, func(resource, metric string, attributes pcommon.Map, values map[string]float64) {
		raw := attributes.AsRaw()
		if metric == name {
			maps.DeleteFunc(raw, func(key string, _ any) bool { return !slices.Contains(kept, key) })
		}
		id := fmt.Sprint(resource, metric, raw)
		if want[id] == nil {
			want[id] = map[string]float64{}
		}
		for key, value := range values {
			want[id][key] += value
		}
	})
	regrouped := pmetric.NewMetrics()
	all.CopyTo(regrouped)
	metrics.Regroup(regrouped, map[string]metadata.MetricAttributes{name: kept})
	have := map[string]map[string]float64{}
	eachPoint(regrouped, func(resource, metric string, attributes pcommon.Map, values map[string]float64) {
		id := fmt.Sprint(resource, metric, attributes.AsRaw())
		require.NotContains(t, have, id, "two data points of one series")
		have[id] = values
	})
	require.Len(t, have, len(want), "%s by %v", name, kept)
	for id := range want {
		require.InDeltaMapValues(t, want[id], have[id], 1e-6, id)
	}
}

// eachPoint calls f for each data point, with its numbers by name.
func eachPoint(metrics pmetric.Metrics, f func(resource, metric string, attributes pcommon.Map, values map[string]float64)) {
	for _, rm := range metrics.ResourceMetrics().All() {
		resource := fmt.Sprint(rm.Resource().Attributes().AsRaw())
		for _, metric := range rm.ScopeMetrics().At(0).Metrics().All() {
			switch metric.Type() {
			case pmetric.MetricTypeSum:
				for _, p := range metric.Sum().DataPoints().All() {
					f(resource, metric.Name(), p.Attributes(), map[string]float64{"value": float64(p.IntValue()) + p.DoubleValue()})
				}
			case pmetric.MetricTypeHistogram:
				for _, p := range metric.Histogram().DataPoints().All() {
					values := map[string]float64{"count": float64(p.Count()), "sum": p.Sum()}
					for i, n := range p.BucketCounts().All() {
						values[fmt.Sprint("bucket ", i)] = float64(n)
					}
					f(resource, metric.Name(), p.Attributes(), values)
				}
			case pmetric.MetricTypeExponentialHistogram:
				for _, p := range metric.ExponentialHistogram().DataPoints().All() {
					values := map[string]float64{"count": float64(p.Count()), "sum": p.Sum(), "zeros": float64(p.ZeroCount())}
					for i, n := range p.Positive().BucketCounts().All() {
						if n > 0 {
							values[fmt.Sprint("bucket ", int(p.Positive().Offset())+i)] = float64(n)
						}
					}
					f(resource, metric.Name(), p.Attributes(), values)
				}
			default: // the receiver makes no others
			}
		}
	}
}
