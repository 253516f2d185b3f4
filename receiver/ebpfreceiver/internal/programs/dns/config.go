// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package dns is the program `dns`: the names that processes look up, with result and duration.
package dns

import (
	"errors"
	"time"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/programs/cgroup"
)

// defaultEventLimit limits the events when all look-ups of a host fail. The metric has no limit.
const defaultEventLimit = 1000

// timeout has a default above the 5 s after which resolvers retry, so that a retry comes before the time-out.
var timeout = program.Range[time.Duration]{Least: time.Millisecond, Most: time.Hour, Default: 10 * time.Second}

// Definition is the program's entry in the receiver's list of programs.
var Definition = program.Definition{
	Name:    "dns",
	Purpose: "What processes look up by DNS over UDP and TCP port 53, with what result, and how long it takes.",
	Settings: map[string]program.Setting{
		"threshold": {
			Unit: program.UnitDuration, Range: program.Threshold,
			Meaning: "Successful look-ups that take as long or longer are events. With `1us` all look-ups are events.",
		},
		"timeout": {
			Unit: program.UnitDuration, Range: timeout,
			Meaning: "How long after its last query a look-up without an answer has timed out. Set it longer than processes wait before a retry.",
		},
	},
	Example:        "{threshold: 50ms}",
	Privileges:     []program.Privileges{{Needed: []kernel.Capability{kernel.CapNetAdmin}}},
	Problems:       problems,
	DefaultConfig:  func() program.Config { return defaultConfig() },
	New:            newProgram,
	Needs:          []*program.Definition{&cgroup.Definition},
	EventsOfScrape: true,
}

// Config is the configuration block `programs::dns`.
type Config struct {
	program.ThresholdConfig `mapstructure:",squash"`
	// Timeout is how long after its last query a look-up without an answer has timed out.
	Timeout time.Duration `mapstructure:"timeout"`
}

var _ program.Config = (*Config)(nil)

func defaultConfig() *Config {
	return &Config{ThresholdConfig: *program.NewThresholdConfig(defaultEventLimit), Timeout: timeout.Default}
}

// Validate implements program.Config.
func (c *Config) Validate() error {
	return errors.Join(c.ThresholdConfig.Validate(), timeout.Check("timeout", c.Timeout))
}
