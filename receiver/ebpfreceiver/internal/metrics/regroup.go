// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"slices"
	"strconv"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics/histogram"
)

// Regroup removes the attributes that are not kept from the metrics with these names, and adds up data points of a resource
// that become equal.
func Regroup(metrics pmetric.Metrics, kept map[string]metadata.MetricAttributes) {
	if len(kept) == 0 {
		return
	}
	for _, rm := range metrics.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, metric := range sm.Metrics().All() {
				if attributes, ok := kept[metric.Name()]; ok {
					regroup(metric, attributes)
				}
			}
		}
	}
}

func regroup(metric pmetric.Metric, kept metadata.MetricAttributes) {
	switch metric.Type() {
	case pmetric.MetricTypeSum:
		addUp(metric.Sum().DataPoints(), kept, addNumber)
	case pmetric.MetricTypeGauge:
		addUp(metric.Gauge().DataPoints(), kept, addNumber)
	case pmetric.MetricTypeHistogram:
		addUp(metric.Histogram().DataPoints(), kept, histogram.Add)
	case pmetric.MetricTypeExponentialHistogram:
		addUp(metric.ExponentialHistogram().DataPoints(), kept, histogram.AddExponential)
	default: // the receiver makes no others
	}
}

// addUp keeps the first of the data points with equal kept attributes, with the sum of all of them.
func addUp[P interface{ Attributes() pcommon.Map }](
	points interface{ RemoveIf(remove func(P) bool) }, kept metadata.MetricAttributes, add func(to, from P),
) {
	firsts := map[string]P{}
	var identity []byte
	points.RemoveIf(func(point P) bool {
		point.Attributes().RemoveIf(func(key string, _ pcommon.Value) bool { return !slices.Contains(kept, key) })
		identity = appendIdentity(identity[:0], point.Attributes())
		first, ok := firsts[string(identity)]
		if ok {
			add(first, point)
		} else {
			firsts[string(identity)] = point
		}
		return ok
	})
}

// appendIdentity appends bytes that are the same for equal attributes in any order, and different for others.
func appendIdentity(text []byte, attributes pcommon.Map) []byte {
	keys := make([]string, 0, attributes.Len())
	for key := range attributes.All() {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		value, _ := attributes.Get(key)
		text = strconv.AppendQuote(text, key)
		text = append(text, byte(value.Type()))
		text = strconv.AppendQuote(text, value.AsString())
	}
	return text
}

func addNumber(to, from pmetric.NumberDataPoint) {
	if to.ValueType() == pmetric.NumberDataPointValueTypeDouble {
		to.SetDoubleValue(to.DoubleValue() + from.DoubleValue())
	} else {
		to.SetIntValue(to.IntValue() + from.IntValue())
	}
}
