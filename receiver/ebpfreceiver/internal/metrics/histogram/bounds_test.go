// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package histogram

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// bisect finds a slot in the same steps as the BPF side.
func bisect(table *[TableSize]uint64, ns uint64) int {
	slot := 0
	for step := TableSize / 2; step > 0; step /= 2 {
		if ns > table[(slot+step-1)&(TableSize-1)] {
			slot += step
		}
	}
	return slot
}

// durations returns all bounds and their neighbours, and random durations of every magnitude.
func durations() []uint64 {
	all := []uint64{0, 1, math.MaxUint64, math.MaxUint64 - 1, math.MaxInt64}
	for _, bounds := range [][]uint64{explicitBounds, exponentialBounds} {
		for _, bound := range bounds {
			all = append(all, bound-1, bound, bound+1)
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		all = append(all, random.Uint64()>>random.UintN(64))
	}
	return all
}

func TestKernelFindsTheSlot(t *testing.T) {
	for _, kind := range []Kind{Explicit, Exponential} {
		table := kind.Table()
		for _, ns := range durations() {
			slot := kind.Slot(ns)
			if got := bisect(&table, ns); got != slot || slot >= Slots {
				t.Fatalf("%s: %d ns: the kernel's slot is %d, want %d below %d", kind, ns, got, slot, Slots)
			}
		}
	}
}

func TestTable(t *testing.T) {
	for kind, length := range map[Kind]int{Explicit: 27, Exponential: Slots - 1} {
		table := kind.Table()
		for i := range table {
			if i >= length {
				require.Equal(t, uint64(math.MaxUint64), table[i], "%s: %d", kind, i)
			} else if i > 0 {
				require.Greater(t, table[i], table[i-1], "%s: %d", kind, i)
			}
		}
	}
}

func TestExplicitBounds(t *testing.T) {
	assert.Equal(t, []float64{
		1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2,
		0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600,
	}, ExplicitBounds())
	ExplicitBounds()[0] = 0
	assert.NotZero(t, ExplicitBounds()[0], "callers must get a copy")
}

func TestSlotBoundsAreInclusive(t *testing.T) {
	for _, tc := range []struct {
		kind Kind
		ns   uint64
		slot int
	}{
		{Explicit, 0, 0},
		{Explicit, 1_000, 0},
		{Explicit, 1_001, 1},
		{Explicit, 1_000_000_000, 18},
		{Explicit, 1_000_000_001, 19},
		{Explicit, 3_600_000_000_000, 26},
		{Explicit, 3_600_000_000_001, 27},
		{Exponential, 0, 0},
		{Exponential, 953, 0},              // 2^-20 s are 953.67 ns
		{Exponential, 954, 1},              //
		{Exponential, 1_000_000_000, 80},   // 1 s is 2^0, the end of the 80th bucket from 2^-20
		{Exponential, 1_000_000_001, 81},   //
		{Exponential, 1_189_207_115, 81},   // 2^(1/4) s are 1189207115.003 ns
		{Exponential, 1_189_207_116, 82},   //
		{Exponential, 1 << 20 * 1e9, 160},  // 2^20 s
		{Exponential, 1<<20*1e9 + 1, 161},  //
		{Exponential, math.MaxUint64, 175}, // the last bucket has no upper bound
	} {
		assert.Equal(t, tc.slot, tc.kind.Slot(tc.ns), "%s: %d ns", tc.kind, tc.ns)
	}
}

// Each bound is the greatest integer n, in nanoseconds, with n <= 2^(-20+i/4) s, that is n^4 <= 2^(-80+i) * 10^36. The check
// uses exact arithmetic.
func TestExponentialBoundsAreExact(t *testing.T) {
	atMost := func(n uint64, i int) bool {
		left := new(big.Int).Exp(new(big.Int).SetUint64(n), big.NewInt(4), nil)
		left.Lsh(left, 80)
		right := new(big.Int).Exp(big.NewInt(10), big.NewInt(36), nil)
		right.Lsh(right, uint(i))
		return left.Cmp(right) <= 0
	}
	require.Len(t, exponentialBounds, Slots-1)
	for i, bound := range exponentialBounds {
		assert.True(t, atMost(bound, i), "bound %d: %d ns is above it", i, bound)
		assert.False(t, atMost(bound+1, i), "bound %d: %d ns is not above it", i, bound+1)
	}
}

func BenchmarkSlot(b *testing.B) {
	for _, kind := range []Kind{Explicit, Exponential} {
		b.Run(string(kind), func(b *testing.B) {
			for i := range b.N {
				kind.Slot(uint64(i) * 7919)
			}
		})
	}
}
