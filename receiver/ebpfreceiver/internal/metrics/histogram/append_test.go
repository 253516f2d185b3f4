// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package histogram

import (
	"flag"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/golden"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/pdatatest/pmetrictest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

const (
	start = pcommon.Timestamp(1_700_000_000_000_000_000)
	now   = start + 10_000_000_000
)

// update rewrites the golden files. A test with this flag fails, so that the flag is not left on.
var update = flag.Bool("update", false, "rewrite the golden files")

// kernelSlots counts durations as the kernel does.
func kernelSlots(kind Kind, durations ...uint64) (slots []uint64, sum uint64) {
	table := kind.Table()
	slots = make([]uint64, Slots)
	for _, ns := range durations {
		slots[bisect(&table, ns)]++
		sum += ns
	}
	return slots, sum
}

func TestAppendGolden(t *testing.T) {
	points := []struct {
		speed     string
		durations []uint64
	}{
		{"fast", []uint64{0, 953, 954, 1_000, 1_001, 40_000, 40_000, 1_500_000}},
		{"slow", []uint64{1_000_000_000, 1_000_000_001, 90_000_000_000, 7_200_000_000_000}},
		{"none", nil},
	}
	for _, kind := range []Kind{Explicit, Exponential} {
		t.Run(string(kind), func(t *testing.T) {
			metrics := pmetric.NewMetrics()
			metric := metrics.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
			metric.SetName("ebpf.connection.duration")
			metric.SetUnit("s")
			for _, point := range points {
				slots, sum := kernelSlots(kind, point.durations...)
				kind.Append(metric, slots, sum, start, now).PutStr("speed", point.speed)
			}

			file := filepath.Join("testdata", string(kind)+".yaml")
			if *update {
				require.NoError(t, golden.WriteMetrics(t, file, metrics, golden.SkipMetricTimestampNormalization()))
			}
			want, err := golden.ReadMetrics(file)
			require.NoError(t, err)
			require.NoError(t, pmetrictest.CompareMetrics(want, metrics, pmetrictest.IgnoreMetricDataPointsOrder()))
		})
	}
}

func TestAppendIsCumulative(t *testing.T) {
	explicit, exponential := pmetric.NewMetric(), pmetric.NewMetric()
	Explicit.Append(explicit, make([]uint64, Slots), 0, start, now)
	Exponential.Append(exponential, make([]uint64, Slots), 0, start, now)
	assert.Equal(t, pmetric.AggregationTemporalityCumulative, explicit.Histogram().AggregationTemporality())
	assert.Equal(t, pmetric.AggregationTemporalityCumulative, exponential.ExponentialHistogram().AggregationTemporality())
}

func TestAppendDoesNotKeepTheSlots(t *testing.T) {
	for _, kind := range []Kind{Explicit, Exponential} {
		slots, sum := kernelSlots(kind, 40_000)
		metric, want := pmetric.NewMetric(), pmetric.NewMetric()
		kind.Append(metric, slots, sum, start, now)
		metric.CopyTo(want)
		clear(slots)
		assert.Equal(t, want, metric, kind)
	}
}

func TestAppendFewSlots(t *testing.T) {
	for _, slots := range [][]uint64{nil, {3}, {0, 4}} {
		for _, kind := range []Kind{Explicit, Exponential} {
			metric := pmetric.NewMetric()
			assert.NotPanics(t, func() { kind.Append(metric, slots, 0, start, now) })
			assert.Equal(t, total(slots), bucketsOf(metric).count, "%s: %v", kind, slots)
		}
	}
}

// bucket is a bucket of a data point, in seconds: above low, up to high.
type bucket struct {
	low, high float64
	count     uint64
}

type buckets struct {
	all   []bucket
	count uint64
	sum   float64
}

// bucketsOf reads the only data point as a backend would, by OTLP's definition of the buckets.
func bucketsOf(metric pmetric.Metric) buckets {
	if metric.Type() == pmetric.MetricTypeHistogram {
		point := metric.Histogram().DataPoints().At(0)
		b := buckets{count: point.Count(), sum: point.Sum()}
		low := math.Inf(-1)
		for i, count := range point.BucketCounts().All() {
			high := math.Inf(1)
			if i < point.ExplicitBounds().Len() {
				high = point.ExplicitBounds().At(i)
			}
			b.all = append(b.all, bucket{low, high, count})
			low = high
		}
		return b
	}
	point := metric.ExponentialHistogram().DataPoints().At(0)
	b := buckets{count: point.Count(), sum: point.Sum()}
	b.all = append(b.all, bucket{math.Inf(-1), point.ZeroThreshold(), point.ZeroCount()})
	base := math.Pow(2, math.Pow(2, -float64(point.Scale())))
	for i, count := range point.Positive().BucketCounts().All() {
		index := float64(int(point.Positive().Offset()) + i)
		b.all = append(b.all, bucket{math.Pow(base, index), math.Pow(base, index+1), count})
	}
	return b
}

// quantile returns the bucket of the duration with this rank.
func (b buckets) quantile(rank int) bucket {
	for _, one := range b.all {
		if rank -= int(one.count); rank < 0 {
			return one
		}
	}
	return bucket{}
}

func TestKindsAgreeAndLoseNothing(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		durations := make([]uint64, 1+random.IntN(200))
		for i := range durations {
			durations[i] = random.Uint64() >> (10 + random.UintN(54)) // up to 208 days
		}
		var sum uint64
		for _, ns := range durations {
			sum += ns
		}
		sorted := slices.Sorted(slices.Values(durations))

		for _, kind := range []Kind{Explicit, Exponential} {
			slots, kernelSum := kernelSlots(kind, durations...)
			require.Equal(t, sum, kernelSum)
			metric := pmetric.NewMetric()
			kind.Append(metric, slots, kernelSum, start, now)
			got := bucketsOf(metric)

			require.Equal(t, uint64(len(durations)), got.count, kind)
			require.InEpsilon(t, float64(sum)/1e9, got.sum, 1e-12, kind)
			var inBuckets uint64
			for _, one := range got.all {
				inBuckets += one.count
			}
			require.Equal(t, got.count, inBuckets, kind)
			for rank, ns := range sorted {
				one, s := got.quantile(rank), float64(ns)/1e9
				// The last exponential bucket has no upper bound.
				last := kind == Exponential && s > math.Exp2(23.5)
				// Floats cannot distinguish a duration from a bound to the nanosecond. TestExponentialBoundsAreExact checks
				// that.
				const epsilon = 1e-12
				require.Greater(t, s, one.low*(1-epsilon), "%s: rank %d", kind, rank)
				require.True(t, last || s <= one.high*(1+epsilon), "%s: rank %d: %v s above %v", kind, rank, s, one.high)
			}
		}
	}
}

func TestExponentialIsTrimmed(t *testing.T) {
	metric := pmetric.NewMetric()
	slots, sum := kernelSlots(Exponential, 1_000_000_000, 2_000_000_000)
	Exponential.Append(metric, slots, sum, start, now)
	point := metric.ExponentialHistogram().DataPoints().At(0)
	assert.Equal(t, int32(-1), point.Positive().Offset(), "1 s is in (2^(-1/4), 2^0]")
	assert.Equal(t, []uint64{1, 0, 0, 0, 1}, point.Positive().BucketCounts().AsRaw())
	assert.Zero(t, point.ZeroCount())
}

func BenchmarkAppend(b *testing.B) {
	for _, kind := range []Kind{Explicit, Exponential} {
		b.Run(string(kind), func(b *testing.B) {
			slots, sum := kernelSlots(kind, durations()...)
			b.ReportAllocs()
			for b.Loop() {
				kind.Append(pmetric.NewMetric(), slots, sum, start, now)
			}
		})
	}
}
