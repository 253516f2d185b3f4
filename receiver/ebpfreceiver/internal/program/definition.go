// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program

import (
	"github.com/cilium/ebpf"
	"go.uber.org/zap"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/histogram"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
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
	// Needs are the programs that this one is not complete without. They are attached after it.
	Needs []*Definition
	// EventsOfScrape is whether Scrape is what makes its events, so that it is called without a metrics pipeline, too.
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

// Program is one program of a running receiver. Its methods are called in the order of their declaration, AppendLog and
// Scrape from one goroutine each.
type Program interface {
	// Spec returns the compiled object of the kernel half.
	Spec() (*ebpf.CollectionSpec, error)
	// Variables are the values of the object's `const volatile` variables that the frame does not know.
	Variables() map[string]any
	// Events has a bit for each event of the object that is wanted.
	Events() uint32
	// Loaded hands over the object's maps, before anything is attached. They stay the frame's.
	Loaded(maps map[string]*ebpf.Map) error
	// Hooks are attached in their order.
	Hooks() []Hook
	// AppendLog adds the log record of a record that the object wrote to the ring buffer.
	AppendLog(b *batch.Batch, record []byte) error
	// Scrape adds the metrics of the object's maps.
	Scrape(m *Metrics) error
}

// Host is what all programs of a receiver share: what is known of the kernel, and what the configuration says to all.
type Host struct {
	Logger     *zap.Logger
	Kernel     *kernel.Host
	BTF        *kernel.BTF
	Reasons    *kernel.DropReasons
	Symbols    *kernel.Symbols
	Containers *kernel.Containers
	Clock      *kernel.Clock
	// CgroupRoot is where the cgroup2 hierarchy is mounted.
	CgroupRoot string
	Events     metadata.EventsConfig
	Histograms metadata.HistogramsConfig
	Histogram  histogram.Kind
	// SocketsTracked is whether a hook that tracks sockets is attached.
	SocketsTracked bool
	// KeepGoing and Report are those of the Set's settings, for hooks that are attached in several places.
	KeepGoing bool
	Report    func(State)
}
