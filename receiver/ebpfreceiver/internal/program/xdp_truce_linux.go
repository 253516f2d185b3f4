// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program

import (
	"fmt"
	"maps"
	"time"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
)

const (
	// shortestTruce is enough for another program to take the place that it has made free.
	shortestTruce = 5 * time.Second
	longestTruce  = time.Hour
)

// truces are for how long interfaces, by their indices, are left to whoever has detached the function from them: twice as
// long each time, so that two who want the same interface do not fight for it.
type truces map[int]truce

type truce struct {
	length time.Duration
	end    time.Time
}

// begin begins one for an interface. What was long ago does not make it longer.
func (t truces) begin(index int, now time.Time) {
	length := shortestTruce
	if last, ok := t[index]; ok && now.Sub(last.end) < longestTruce {
		length = min(2*last.length, longestTruce)
	}
	t[index] = truce{length, now.Add(length)}
}

// check returns an error for as long as there is one for the interface, and the same one all the time.
func (t truces) check(index int, now time.Time) error {
	if current := t[index]; now.Before(current.end) {
		return fmt.Errorf("somebody else has detached the program from it, as `bpftool link detach` does, or put another one in its place; it is attached to again after %s, if it is free then: leave the interface out to keep the program off it", current.length)
	}
	return nil
}

// forget forgets those for interfaces that are gone.
func (t truces) forget(present map[int]kernel.Interface) {
	maps.DeleteFunc(t, func(index int, _ truce) bool { return present[index].Name == "" })
}
