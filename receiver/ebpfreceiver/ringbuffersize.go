// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

const (
	kibibyte = 1 << 10
	mebibyte = 1 << 20
	gibibyte = 1 << 30

	// The kernel wants a power of two that is a multiple of the page size; the least one serves pages of 64 KiB too.
	minRingBufferSize RingBufferSize = 64 * kibibyte
	maxRingBufferSize RingBufferSize = gibibyte
)

// sizeUnits are the units of sizes.
var sizeUnits = []struct {
	name  string
	bytes RingBufferSize
}{{"KiB", kibibyte}, {"MiB", mebibyte}, {"GiB", gibibyte}}

// RingBufferSize is the size of the ring buffer in bytes. In the configuration it is a number of bytes, or a number with
// the unit KiB, MiB or GiB.
type RingBufferSize int64

// Bytes returns a valid size as the kernel takes it.
func (s RingBufferSize) Bytes() uint32 { return uint32(s) }

// String returns the size in the largest unit of which it is a whole number.
func (s RingBufferSize) String() string {
	switch {
	case s == 0 || s%kibibyte != 0:
		return strconv.FormatInt(int64(s), 10)
	case s%gibibyte == 0:
		return strconv.FormatInt(int64(s/gibibyte), 10) + "GiB"
	case s%mebibyte == 0:
		return strconv.FormatInt(int64(s/mebibyte), 10) + "MiB"
	}
	return strconv.FormatInt(int64(s/kibibyte), 10) + "KiB"
}

// MarshalText implements encoding.TextMarshaler.
func (s RingBufferSize) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *RingBufferSize) UnmarshalText(text []byte) error {
	number, bytes := string(text), RingBufferSize(1)
	for _, unit := range sizeUnits {
		if n, ok := strings.CutSuffix(number, unit.name); ok {
			number, bytes = strings.TrimSpace(n), unit.bytes
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 32)
	if err != nil {
		return fmt.Errorf("%q is not a size: write a number of bytes, or one with KiB, MiB or GiB, such as 8MiB", text)
	}
	*s = RingBufferSize(n) * bytes
	return nil
}

// Validate checks the bounds and that the size is a power of two, and names the nearest sizes that are valid.
func (s RingBufferSize) Validate() error {
	switch {
	case s < minRingBufferSize:
		return fmt.Errorf("%s is too small; the least is %s", s, minRingBufferSize)
	case s > maxRingBufferSize:
		return fmt.Errorf("%s is too large; the most is %s", s, maxRingBufferSize)
	case bits.OnesCount64(uint64(s)) != 1:
		below := RingBufferSize(1) << (bits.Len64(uint64(s)) - 1)
		return fmt.Errorf("%s is not a power of two; the nearest ones are %s and %s", s, below, below*2)
	}
	return nil
}
