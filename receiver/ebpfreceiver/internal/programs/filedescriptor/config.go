// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package filedescriptor is the program `file_descriptor`: which descriptors processes have open, and whose never stop
// growing.
package filedescriptor

import (
	"errors"
	"fmt"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/programs/cgroup"
)

const (
	defaultProcesses = 100
	maxProcesses     = 10_000

	// What goes up and down by chance goes up so often in a row once in a billion times.
	defaultLeakIntervals = 30
	// Less would be a leak for everything that starts.
	minLeakIntervals, maxLeakIntervals = 2, 1_000_000
)

// Definition is the program's entry in the receiver's list of programs.
var Definition = program.Definition{
	Name:           "file_descriptor",
	DefaultConfig:  func() program.Config { return defaultConfig() },
	New:            newProgram,
	Needs:          []*program.Definition{&cgroup.Definition},
	EventsOfScrape: true,
}

// Config is the configuration block `programs::file_descriptor`.
type Config struct {
	program.CommonConfig `mapstructure:",squash"`
	// Processes is how many processes, those with the most descriptors, are told apart.
	Processes int `mapstructure:"processes"`
	// LeakIntervals is in how many collection intervals the descriptors of a process grow, and fall in none, to be a leak.
	LeakIntervals int `mapstructure:"leak_intervals"`
	// Operations is whether it is counted how often descriptors are opened and closed.
	Operations bool `mapstructure:"operations"`
}

var _ program.Config = (*Config)(nil)

func defaultConfig() *Config {
	return &Config{
		CommonConfig:  program.CommonConfig{Events: true},
		Processes:     defaultProcesses,
		LeakIntervals: defaultLeakIntervals,
		Operations:    true,
	}
}

// Validate implements program.Config.
func (c *Config) Validate() error {
	errs := []error{c.CommonConfig.Validate()}
	if c.Processes < 1 || c.Processes > maxProcesses {
		errs = append(errs, fmt.Errorf("processes: %d is not a number of processes from 1 to %d; leave the key out for %d",
			c.Processes, maxProcesses, defaultProcesses))
	}
	if c.LeakIntervals < minLeakIntervals || c.LeakIntervals > maxLeakIntervals {
		errs = append(errs, fmt.Errorf("leak_intervals: %d is not a number of intervals from %d to %d; leave the key out for %d",
			c.LeakIntervals, minLeakIntervals, maxLeakIntervals, defaultLeakIntervals))
	}
	return errors.Join(errs...)
}
