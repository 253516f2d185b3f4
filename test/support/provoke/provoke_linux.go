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

// Program is what is known of how to make a program report something.
type Program struct {
	// Name is the program's key in the configuration.
	Name string
	// Settings are added to those that the program runs with, as a block in YAML, so that Event is reported.
	Settings string
	// Event makes what the program reports happen, and returns the event.
	Event Event
	// With has Event for ways to run the program that report something else, by programs.Privileges.With.
	With map[string]Event
	// Work is what the bench measures the program with; nil if it does that in another way.
	Work *Work
}

// Event makes something happen that is an event, waits for that and returns it.
type Event func(*testing.T, Events) collector.Event

// Work is something that a program sees, over and over.
type Work struct {
	// Counted and Emitted are the program's settings: those that users begin with or that only count, and those in which
	// each hit is an event. Without the latter, events are not measured.
	Counted, Emitted string
	// Tracepoint is one that the program attaches to, and Hits are the functions in the kernel whose every run is a hit.
	Tracepoint string
	Hits       []string
	// Goal is that for a hit that is counted, in ns; 0: none is set.
	Goal float64
	// Prepare makes what the work needs until it is closed; nil: nothing.
	Prepare func() (io.Closer, error)
	Run     func(Place) (traffic.LoopDone, error)
}

// Place is where work is done.
type Place struct {
	Container *testhost.Cgroup
	// Connections are those of the work that is about connections.
	Connections traffic.Connections
}

// loop is work in the container.
func loop(of string, count int) func(Place) (traffic.LoopDone, error) {
	return func(p Place) (traffic.LoopDone, error) { return traffic.Loop{Of: of, Count: count}.Run(p.Container) }
}

// registered are the programs of this package's files, each of which adds one.
var registered = map[string]Program{}

func add(p Program) { registered[p.Name] = p }

// Of returns what is known of a program; nothing but its name, if no file of this package is about it.
func Of(name string) Program {
	p := registered[name]
	p.Name = name
	return p
}

// Names are the programs that this package has a file for.
func Names() []string { return slices.Sorted(maps.Keys(registered)) }
