// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package provoke

import (
	"io"
	"maps"
	"slices"
	"testing"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/collector"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

// Program describes how to make a program report something.
type Program struct {
	// Name is the program's key in the configuration.
	Name string
	// Settings are a YAML block that is added to the program's settings, so that Event is reported.
	Settings string
	// Event provokes an event of the program, and returns the event.
	Event Event
	// With has the Event of other ways to run the program, by programs.Privileges.With.
	With map[string]Event
	// Work is the bench's load for the program; nil if the bench measures it differently.
	Work *Work
	// Storm is the load with which overhead_limit is tested.
	Storm *Storm
}

// Event provokes an event, waits for it and returns it.
type Event func(*testing.T, Events) collector.Event

// Work is a repeated operation that a program observes.
type Work struct {
	// Counted and Emitted are settings of the program. With Counted it has the defaults or only counts. With Emitted each hit
	// is an event. If Emitted is empty, the bench does not measure events.
	Counted, Emitted string
	// Tracepoint is one of the program's tracepoints. Hits are the BPF programs of which each run is a hit.
	Tracepoint string
	Hits       []string
	// Goal is the goal for a counted hit, in ns; 0 if there is none.
	Goal float64
	// Prepare sets up what the work needs. Closing the result removes it. It may be nil.
	Prepare func() (io.Closer, error)
	Run     func(Place) (traffic.LoopDone, error)
}

// Place is where the work is done.
type Place struct {
	Container *testhost.Cgroup
	// Connections are the connections to make for work that measures connections.
	Connections traffic.Connections
}

// loop repeats an operation in the container.
func loop(of string, count int) func(Place) (traffic.LoopDone, error) {
	return func(p Place) (traffic.LoopDone, error) { return traffic.Loop{Of: of, Count: count}.Run(p.Container) }
}

// registered are the programs of this package's files. Each file adds one.
var registered = map[string]Program{}

func add(p Program) { registered[p.Name] = p }

// Of returns what this package knows of a program. Without a file for it, that is only the name.
func Of(name string) Program {
	p := registered[name]
	p.Name = name
	return p
}

// Names are the programs that this package has a file for.
func Names() []string { return slices.Sorted(maps.Keys(registered)) }
