// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package histogram

import (
	"math"
	"math/bits"
	"slices"
	"sort"
)

const (
	// Slots is the number of counters of a histogram in the kernel (HISTOGRAM_SLOTS).
	Slots = 176
	// TableSize is the size of the kernel's table of bounds (HISTOGRAM_BOUNDS).
	TableSize = 256

	nanosecondsPerSecond = 1e9
)

// Kind is the kind of buckets that a histogram has.
type Kind string

const (
	// Explicit is OTLP's histogram with the bounds of ExplicitBounds.
	Explicit Kind = "explicit"
	// Exponential is OTLP's exponential histogram with four buckets in each power of two seconds.
	Exponential Kind = "exponential"
)

const (
	// scale is OTLP's: there are 2^scale buckets in a power of two.
	scale         = 2
	bucketsPerTwo = 1 << scale
	// zeroExponent stands for 2^-20 s, slightly less than 1 µs: the shortest duration that is distinguished from zero.
	zeroExponent = -20
)

// explicitBounds are the upper bounds of explicit buckets in nanoseconds: 1 µs to 1 h.
var explicitBounds = []uint64{
	1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
	1_000_000, 2_500_000, 5_000_000, 10_000_000, 25_000_000, 50_000_000, 100_000_000, 250_000_000, 500_000_000,
	1_000_000_000, 2_500_000_000, 5_000_000_000, 10_000_000_000, 30_000_000_000, 60_000_000_000,
	300_000_000_000, 1_800_000_000_000, 3_600_000_000_000,
}

// explicitSeconds are the same in seconds.
var explicitSeconds = func() []float64 {
	seconds := make([]float64, len(explicitBounds))
	for i, ns := range explicitBounds {
		seconds[i] = float64(ns) / nanosecondsPerSecond
	}
	return seconds
}()

// exponentialBounds are 2^(zeroExponent + i/bucketsPerTwo) seconds, rounded down to nanoseconds. Durations are whole
// nanoseconds, so rounding down moves no duration to another bucket.
var exponentialBounds = func() []uint64 {
	// 2^(i/4) as fixed-point numbers of 62 bits behind the point.
	roots := [bucketsPerTwo]uint64{4611686018427387904, 5484249825272419511, 6521908912666391106, 7755900482342532474}
	bounds := make([]uint64, Slots-1)
	for i := range bounds {
		high, low := bits.Mul64(roots[i%bucketsPerTwo], nanosecondsPerSecond)
		shift := 62 - zeroExponent - i/bucketsPerTwo
		if shift >= 64 {
			bounds[i] = high >> (shift - 64)
		} else {
			bounds[i] = high<<(64-shift) | low>>shift
		}
	}
	return bounds
}()

// ExplicitBounds returns the upper bounds of explicit buckets in seconds.
func ExplicitBounds() []float64 { return slices.Clone(explicitSeconds) }

// Table returns the bounds for the kernel: ascending, inclusive, in nanoseconds, filled up with the greatest number.
func (k Kind) Table() [TableSize]uint64 {
	var table [TableSize]uint64
	for i := copy(table[:], k.bounds()); i < len(table); i++ {
		table[i] = math.MaxUint64
	}
	return table
}

// Slot returns the slot in which the kernel counts a duration in nanoseconds.
func (k Kind) Slot(ns uint64) int {
	bounds := k.bounds()
	return sort.Search(len(bounds), func(i int) bool { return ns <= bounds[i] })
}

func (k Kind) bounds() []uint64 {
	if k == Exponential {
		return exponentialBounds
	}
	return explicitBounds
}
