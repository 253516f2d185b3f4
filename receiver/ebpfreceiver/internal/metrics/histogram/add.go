// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package histogram

import "go.opentelemetry.io/collector/pdata/pmetric"

// Add adds a data point of Append to another one.
func Add(to, from pmetric.HistogramDataPoint) {
	to.SetCount(to.Count() + from.Count())
	to.SetSum(to.Sum() + from.Sum())
	for i, n := range from.BucketCounts().All() {
		to.BucketCounts().SetAt(i, to.BucketCounts().At(i)+n)
	}
}

// AddExponential adds a data point of Append to another one. Both have the same scale and zero threshold.
func AddExponential(to, from pmetric.ExponentialHistogramDataPoint) {
	to.SetCount(to.Count() + from.Count())
	to.SetSum(to.Sum() + from.Sum())
	to.SetZeroCount(to.ZeroCount() + from.ZeroCount())
	if from.Positive().BucketCounts().Len() == 0 {
		return
	}
	if to.Positive().BucketCounts().Len() == 0 {
		from.Positive().CopyTo(to.Positive())
		return
	}
	begin := min(to.Positive().Offset(), from.Positive().Offset())
	sums := make([]uint64, max(end(to.Positive()), end(from.Positive()))-begin)
	for _, buckets := range []pmetric.ExponentialHistogramDataPointBuckets{to.Positive(), from.Positive()} {
		for i, n := range buckets.BucketCounts().All() {
			sums[buckets.Offset()-begin+int32(i)] += n
		}
	}
	to.Positive().SetOffset(begin)
	to.Positive().BucketCounts().FromRaw(sums)
}

// end returns the index after that of the last bucket.
func end(buckets pmetric.ExponentialHistogramDataPointBuckets) int32 {
	return buckets.Offset() + int32(buckets.BucketCounts().Len())
}
