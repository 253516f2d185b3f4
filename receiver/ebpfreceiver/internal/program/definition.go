// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program

import (
	"github.com/cilium/ebpf"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics"
)

// Definition is one program in the receiver's list of programs. It holds all facts of the program that others need: its
// documentation, the schema of its configuration, and the tests and measurements that run for every program are made from it.
type Definition struct {
	// Name is the program's key below `programs` and the value of ebpf.program.name.
	Name string
	// Purpose says in one sentence what the program reports.
	Purpose string
	// Settings are the program's own settings, by their keys below the program's, such as "opens::paths". CommonSettings
	// are those of every program.
	Settings map[string]Setting
	// Example is a block in YAML flow style, with which the program attaches all of its hooks. "" is the defaults.
	Example string
	// Privileges are the ways to run the program that need different capabilities, the defaults first. None means that
	// it always needs what every program needs, and no more.
	Privileges []Privileges
	// DefaultConfig returns a new default configuration.
	DefaultConfig func() Config
	// New returns the program for a configuration that DefaultConfig made; it does no I/O.
	New func(cfg Config, host *Host) Program
	// Needs are further programs that this one depends on. They are attached after it.
	Needs []*Definition
	// EventsOfScrape is whether Scrape finds the program's events, so that it must run without a metrics pipeline, too.
	EventsOfScrape bool
}

// Privileges are the capabilities of one way to run a program.
type Privileges struct {
	// With says in Markdown which settings this is about, such as "`protocols: [tcp]`"; "" for the defaults.
	With string
	// Settings are these settings, as a block in YAML flow style.
	Settings string
	// Needed are the capabilities without which the program does not start, besides those that every program needs.
	Needed []kernel.Capability
	// Serves has the capabilities that the program does without, each with the attribute that its events then lack.
	Serves map[kernel.Capability]string
}

// AlwaysNeeded are the capabilities that every program needs.
var AlwaysNeeded = []kernel.Capability{kernel.CapBPF, kernel.CapPerfmon}

// Program is one program of a running receiver. Its methods are called in the order of their declaration, those up to Loaded
// once, AppendLog and Scrape from one goroutine each.
type Program interface {
	// Hooks are attached in their order, after Loaded.
	Hooks() []Hook
	// Spec returns the compiled object of the BPF side.
	Spec() (*ebpf.CollectionSpec, error)
	// Variables are the values of the object's own `const volatile` variables; the loader sets those that all objects share.
	Variables() map[string]any
	// Events has a bit for each event of the object that is wanted.
	Events() uint32
	// Loaded hands over the object's maps, before anything is attached. The loader closes them.
	Loaded(maps map[string]*ebpf.Map) error
	// AppendLog appends the log record of a record that the object wrote to the ring buffer.
	AppendLog(b *batch.Batch, record []byte) error
	// Scrape adds the metrics of the object's maps.
	Scrape(m *metrics.Builder) error
}

// IterUser is a Program with hooks of the kind Reader.
type IterUser interface {
	// Attached hands over the iterators by the names of their functions, after all hooks are attached. The loader closes them.
	Attached(iters map[string]*Iter)
}
