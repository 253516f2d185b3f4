// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

import (
	"fmt"
	"math"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/overhead"
)

// minOverheadLimit is the smallest cost that can be measured.
const minOverheadLimit OverheadLimit = 0.001

const (
	defaultOverheadInterval = time.Second
	// minOverheadInterval is ten times the shortest useful sample of the kernel's statistics.
	minOverheadInterval = 50 * time.Millisecond
	maxOverheadInterval = time.Minute
)

// OverheadLimit is the most that the receiver may cost, as a share of one CPU; 0 is no limit. In the configuration it is a
// percentage or a fraction.
type OverheadLimit float64

// String returns the limit as users write it.
func (l OverheadLimit) String() string {
	if l == 0 {
		return "0"
	}
	return overhead.Percent(float64(l), overhead.LimitDecimals)
}

// MarshalText implements encoding.TextMarshaler.
func (l OverheadLimit) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (l *OverheadLimit) UnmarshalText(text []byte) error {
	number, unit := string(text), 1.0
	if percentage, ok := strings.CutSuffix(number, "%"); ok {
		number, unit = percentage, 100
	}
	share, err := strconv.ParseFloat(number, 64)
	if err != nil || math.IsNaN(share) || math.IsInf(share, 0) {
		return fmt.Errorf("%q is not a share of one CPU: write a percentage without a space, such as 2%%, or a fraction, such as 0.02; 0 is no limit", text)
	}
	*l = OverheadLimit(share / unit)
	return nil
}

// Validate checks the bounds.
func (l OverheadLimit) Validate() error {
	cpus := runtime.NumCPU()
	switch {
	case l == 0:
		return nil
	case math.IsNaN(float64(l)) || l < 0:
		return fmt.Errorf("%s is not a positive share; write a share of one CPU, such as 2%%, or 0 for no limit", l)
	case l < minOverheadLimit:
		return fmt.Errorf("%s is too small to be measured; the least is %s, and 0 is no limit", l, minOverheadLimit)
	case float64(l) > float64(cpus):
		return fmt.Errorf("%s is more than the %d CPUs of this host; write a share of one CPU, such as 2%%, or 0 for no limit", l, cpus)
	}
	return nil
}
