// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program

import (
	"time"

	"github.com/cilium/ebpf"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics"
)

// Definition describes one program in the receiver's list of programs. Documentation, the schema of the configuration,
// and the tests and measurements that run for every program are generated from it.
type Definition struct {
	// Name is the program's key below `programs` and the value of ebpf.program.name.
	Name string
	// Purpose says in one sentence what the program reports.
	Purpose string
	// Settings document the program's own settings, by their keys below the program's, such as "opens::paths".
	// CommonSettings document those of every program.
	Settings map[string]Setting
	// Example is a block in YAML flow style with which the program attaches all of its hooks. "" means the defaults.
	Example string
	// Privileges list the ways to run the program that need different capabilities, the defaults first. If empty, the
	// program always needs AlwaysNeeded and no more.
	Privileges []Privileges
	// Problems are the kinds of problems that the event store finds in the program's events.
	Problems []Problem
	// DefaultConfig returns a new default configuration.
	DefaultConfig func() Config
	// New returns the program for a configuration made by DefaultConfig. It does no I/O.
	New func(cfg Config, host *Host) Program
	// Needs are further programs that this one depends on. They are attached after it, unless they are First.
	Needs []*Definition
	// First reports that the program is attached before those that need it, because they need its data from their first event on.
	First bool
	// Listeners reports that the program reports the accept queues of TCP listeners.
	Listeners bool
	// Sampled reports that the program may be detached for a while, and attached again with what it knew: a gap makes nothing
	// wrong but the counts.
	Sampled bool
	// EventsOfScrape reports that Scrape finds the program's events, so that it must run without a metrics pipeline, too.
	EventsOfScrape bool
}

// Privileges are the capabilities of one way to run a program.
type Privileges struct {
	// With names the settings in Markdown ("`protocols: [tcp]`"); "" means the defaults.
	With string
	// Settings are these settings, as a block in YAML flow style.
	Settings string
	// Needed are the capabilities without which the program does not start, in addition to AlwaysNeeded.
	Needed []kernel.Capability
	// Serves has the capabilities that the program can do without, each with the attribute that its events then lack.
	Serves map[kernel.Capability]string
}

// AlwaysNeeded are the capabilities that every program needs.
var AlwaysNeeded = []kernel.Capability{kernel.CapBPF, kernel.CapPerfmon}

// Program is one program of a running receiver. Its methods are called in the order of their declaration: those up to
// Loaded once, AppendLog and Scrape from one goroutine each.
type Program interface {
	// Hooks returns the hooks. They are attached in this order, after Loaded.
	Hooks() []Hook
	// Spec returns the compiled object of the BPF side.
	Spec() (*ebpf.CollectionSpec, error)
	// Variables returns the values of the object's own `const volatile` variables. The loader sets those that all objects
	// share.
	Variables() map[string]any
	// Events returns a bit for each event of the object that is wanted.
	Events() uint32
	// Loaded receives the object's maps, before anything is attached. The loader closes them.
	Loaded(maps map[string]*ebpf.Map) error
	// AppendLog appends the log record for a record of this object in the ring buffer.
	AppendLog(b *batch.Batch, record []byte) error
	// Scrape adds the metrics from the object's maps.
	Scrape(m *metrics.Builder) error
}

// Holder is a Program that holds records back, because one that follows may say the same.
type Holder interface {
	// AppendHeld appends the log records of what was held back long enough, or of everything, until the batch is full. It returns when
	// it is to be called next; zero if nothing is held back. It is called by the goroutine that calls AppendLog.
	AppendHeld(b *batch.Batch, all bool) (next time.Time)
}

// IterUser is a Program with hooks of kind Reader.
type IterUser interface {
	// Attached receives the iterators by the names of their functions, after all hooks are attached. The loader closes
	// them.
	Attached(iters map[string]*Iter)
}
