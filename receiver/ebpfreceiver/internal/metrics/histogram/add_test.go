// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package histogram

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// The sum of histograms is what the kernel would have counted in a single one.
func TestAdd(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		// Each part has some slots, possibly none.
		some := func() (slots []uint64, sum uint64) {
			slots = make([]uint64, Slots)
			from := random.IntN(Slots)
			for i := from; i < Slots; i += 1 + random.IntN(Slots) {
				slots[i] = random.Uint64N(5)
				sum += slots[i] * 1_000_000
			}
			return slots, sum
		}
		a, aSum := some()
		b, bSum := some()
		both := make([]uint64, Slots)
		for i := range both {
			both[i] = a[i] + b[i]
		}
		for _, kind := range []Kind{Explicit, Exponential} {
			metric, want := pmetric.NewMetric(), pmetric.NewMetric()
			kind.Append(metric, a, aSum, 1, 2)
			kind.Append(metric, b, bSum, 1, 2)
			kind.Append(want, both, aSum+bSum, 1, 2)
			if kind == Explicit {
				to, sum := metric.Histogram().DataPoints().At(0), want.Histogram().DataPoints().At(0)
				Add(to, metric.Histogram().DataPoints().At(1))
				assert.InDelta(t, sum.Sum(), to.Sum(), 1e-9)
				to.SetSum(sum.Sum())
				assert.Equal(t, sum, to)
				continue
			}
			to, sum := metric.ExponentialHistogram().DataPoints().At(0), want.ExponentialHistogram().DataPoints().At(0)
			AddExponential(to, metric.ExponentialHistogram().DataPoints().At(1))
			assert.InDelta(t, sum.Sum(), to.Sum(), 1e-9)
			to.SetSum(sum.Sum())
			assert.Equal(t, sum, to)
		}
	}
}
