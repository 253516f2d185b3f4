// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package xdp

import (
	"fmt"
	"time"
)

const (
	// minReattachDelay is enough for another program to take the slot that it has just freed.
	minReattachDelay = 5 * time.Second
	maxReattachDelay = time.Hour
)

// reattachBackoff delays attaching again to an interface from which somebody else has detached the program, by interface
// index. The delay doubles each time, so that two programs do not fight for an interface.
type reattachBackoff map[int]reattachDelay

type reattachDelay struct {
	length time.Duration
	end    time.Time
}

// start delays the next attempt at an interface. A delay that ended long ago does not make the new one longer.
func (b reattachBackoff) start(index int, now time.Time) {
	length := minReattachDelay
	if last, ok := b[index]; ok && now.Sub(last.end) < maxReattachDelay {
		length = min(2*last.length, maxReattachDelay)
	}
	b[index] = reattachDelay{length, now.Add(length)}
}

// check returns an error while an interface is delayed; the text stays the same for all of the delay, so it is reported once.
func (b reattachBackoff) check(index int, now time.Time) error {
	if current := b[index]; now.Before(current.end) {
		return fmt.Errorf("somebody else has detached the program from it, as `bpftool link detach` does, or has replaced the program; the interface is attached to again after %s, if it is free: leave the interface out to keep the program off it", current.length)
	}
	return nil
}

// prune drops the delays of interfaces that are gone.
func (b reattachBackoff) prune(exists func(index int) bool) {
	for index := range b {
		if !exists(index) {
			delete(b, index)
		}
	}
}
