// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package provoke

import (
	"testing"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

// Storm is a load under which a program costs several times an overhead_limit.
type Storm struct {
	// Limit is that overhead_limit, such as 0.5%.
	Limit string
	// Settings are a YAML block of settings of the program, Receiver further lines of settings of the receiver.
	Settings, Receiver string
	// EventsOff says that the test ends when events are off, because without events the program costs about as much as the limit.
	EventsOff bool
	// Begin prepares the load, and returns a function for one round of it, which takes a second at most. calm removes what rounds leave
	// behind; it may be nil.
	Begin func(*testing.T) (round func() error, calm func())
}

// repeat returns the Begin of a load that needs no preparation.
func repeat(run func(Place) (traffic.LoopDone, error)) func(*testing.T) (round func() error, calm func()) {
	return func(*testing.T) (round func() error, calm func()) {
		return func() error {
			_, err := run(Place{})
			return err
		}, nil
	}
}

// stormOfConnections makes connections as fast as possible.
func stormOfConnections(*testing.T) (round func() error, calm func()) {
	return func() error {
		_, err := traffic.Connections{Count: 10_000, Pairs: 2}.Run(nil)
		return err
	}, nil
}
