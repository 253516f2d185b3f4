// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package histogram

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// zeroThreshold is the greatest duration in seconds that counts as zero in an exponential histogram.
const zeroThreshold = 1.0 / (1 << -zeroExponent)

// Append adds a data point to metric, which it makes a cumulative histogram of this kind if it is empty, and returns the
// attributes of the data point to be set. The slots are those of the kernel, sum is the sum of all durations in
// nanoseconds; the data point is in seconds and has each count of the slots.
func (k Kind) Append(metric pmetric.Metric, slots []uint64, sum uint64, start, now pcommon.Timestamp) pcommon.Map {
	if k == Exponential {
		return appendExponential(metric, slots, sum, start, now)
	}
	return appendExplicit(metric, slots, sum, start, now)
}

// AppendTotal adds a data point without buckets, which has only the number and the sum of the durations. It is of an explicit
// histogram, because an exponential one has to have its counts in buckets.
func AppendTotal(metric pmetric.Metric, count, sum uint64, start, now pcommon.Timestamp) pcommon.Map {
	if metric.Type() != pmetric.MetricTypeHistogram {
		metric.SetEmptyHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	}
	point := metric.Histogram().DataPoints().AppendEmpty()
	point.SetStartTimestamp(start)
	point.SetTimestamp(now)
	point.SetCount(count)
	point.SetSum(seconds(sum))
	return point.Attributes()
}

func appendExplicit(metric pmetric.Metric, slots []uint64, sum uint64, start, now pcommon.Timestamp) pcommon.Map {
	if metric.Type() != pmetric.MetricTypeHistogram {
		metric.SetEmptyHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	}
	point := metric.Histogram().DataPoints().AppendEmpty()
	point.SetStartTimestamp(start)
	point.SetTimestamp(now)
	point.ExplicitBounds().FromRaw(explicitSeconds)
	// Values above all bounds are in the bucket after the last bound.
	buckets := make([]uint64, len(explicitBounds)+1)
	copy(buckets, slots)
	point.BucketCounts().FromRaw(buckets)
	point.SetCount(total(buckets))
	point.SetSum(seconds(sum))
	return point.Attributes()
}

func appendExponential(metric pmetric.Metric, slots []uint64, sum uint64, start, now pcommon.Timestamp) pcommon.Map {
	if metric.Type() != pmetric.MetricTypeExponentialHistogram {
		metric.SetEmptyExponentialHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	}
	point := metric.ExponentialHistogram().DataPoints().AppendEmpty()
	point.SetStartTimestamp(start)
	point.SetTimestamp(now)
	point.SetScale(scale)
	point.SetZeroThreshold(zeroThreshold)
	point.SetCount(total(slots))
	point.SetSum(seconds(sum))
	if len(slots) == 0 {
		return point.Attributes()
	}
	// The first slot ends at the zero threshold. The others are buckets, the first of which begins there.
	point.SetZeroCount(slots[0])
	first, last := 1, len(slots)-1
	for first < last && slots[first] == 0 {
		first++
	}
	for last >= first && slots[last] == 0 {
		last--
	}
	if first <= last {
		point.Positive().SetOffset(int32(zeroExponent*bucketsPerTwo + first - 1))
		point.Positive().BucketCounts().FromRaw(slots[first : last+1])
	}
	return point.Attributes()
}

func total(counts []uint64) uint64 {
	var sum uint64
	for _, n := range counts {
		sum += n
	}
	return sum
}

func seconds(ns uint64) float64 { return float64(ns) / nanosecondsPerSecond }
