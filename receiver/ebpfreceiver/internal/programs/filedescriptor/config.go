// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package filedescriptor is the program `file_descriptor`: the open descriptors of processes, and leaks of descriptors.
package filedescriptor

import (
	"errors"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/programs/cgroup"
)

var (
	processes = program.Range[int]{Least: 1, Most: 10_000, Default: 100, Unit: "processes"}
	// leakIntervals has a default at which a number that changes at random rises that often in a row once in a billion times.
	// With fewer than two, everything that starts would be a leak.
	leakIntervals = program.Range[int]{Least: 2, Most: 1_000_000, Default: 30, Unit: "intervals"}
)

// Definition is the program's entry in the receiver's list of programs.
var Definition = program.Definition{
	Name:    "file_descriptor",
	Purpose: "How many descriptors of each kind processes have open, and which processes leak them.",
	Settings: map[string]program.Setting{
		"processes": {
			Unit: processes.Unit, Range: processes,
			Meaning: "How many processes, those with the most descriptors, have series of their own. The series with `otel.metric.overflow` has the sum of all others. Leaks are searched for in all processes; if there are more than 16384, in those seen first.",
		},
		"leak_intervals": {
			Unit: leakIntervals.Unit, Range: leakIntervals,
			Meaning: "How many times a process's number of descriptors of one kind has to rise from one `collection_interval` to the next, without a fall in between, to be a leak. For processes whose descriptors come and go, the lowest number in 2 or 4 intervals counts.",
		},
		"operations": {
			Meaning: "Whether opened and closed descriptors are counted. The kernel must support tracing of functions.",
		},
	},
	Example:        "{processes: 20, leak_intervals: 60, operations: true}",
	Problems:       problems,
	DefaultConfig:  func() program.Config { return defaultConfig() },
	New:            newProgram,
	Needs:          []*program.Definition{&cgroup.Definition},
	EventsOfScrape: true,
}

// Config is the configuration block `programs::file_descriptor`.
type Config struct {
	program.CommonConfig `mapstructure:",squash"`
	// Processes is how many processes, those with the most descriptors, have series of their own.
	Processes int `mapstructure:"processes"`
	// LeakIntervals is how often the lowest number of descriptors in a window has to rise, without a fall, to be a leak.
	LeakIntervals int `mapstructure:"leak_intervals"`
	// Operations enables counting of opened and closed descriptors.
	Operations bool `mapstructure:"operations"`
}

var _ program.Config = (*Config)(nil)

func defaultConfig() *Config {
	return &Config{
		CommonConfig:  program.Unlimited(),
		Processes:     processes.Default,
		LeakIntervals: leakIntervals.Default,
		Operations:    true,
	}
}

// Validate implements program.Config.
func (c *Config) Validate() error {
	return errors.Join(
		c.CommonConfig.Validate(),
		processes.Check("processes", c.Processes),
		leakIntervals.Check("leak_intervals", c.LeakIntervals),
	)
}
