// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program

// Level is how much of its work a program does. The zero value is all of it, each further one less.
type Level int

// The levels. Not every program has all of them.
const (
	// LevelFull is everything.
	LevelFull Level = iota
	// LevelEventsOff emits no events. The metrics stay exact.
	LevelEventsOff
	// LevelSampled is attached for one interval in ten, without events. The metrics have what happened meanwhile.
	LevelSampled
	// LevelDetached is not attached. There are no metrics.
	LevelDetached
)

// String returns the level as the state of the program.
func (l Level) String() string {
	return [...]string{StateAttached, StateEventsOff, StateSampled, StateDetached}[l]
}
