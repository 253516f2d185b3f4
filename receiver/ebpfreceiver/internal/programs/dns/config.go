// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package dns is the program `dns`: what processes look up, with what result, and how long it takes.
package dns

import (
	"errors"
	"time"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/programs/cgroup"
)

// defaultEventLimit holds back the events of a resolver that fails for everybody, never their metric.
const defaultEventLimit = 1000

// timeout has a default above the 5 s after which resolvers ask again, so that a retry comes before it.
var timeout = program.Range[time.Duration]{Least: time.Millisecond, Most: time.Hour, Default: 10 * time.Second}

// Definition is the program's entry in the receiver's list of programs.
var Definition = program.Definition{
	Name:    "dns",
	Purpose: "What processes look up by DNS over UDP and TCP port 53, with what result, and how long it takes.",
	Settings: map[string]program.Setting{
		"threshold": {
			Unit: program.UnitDuration, Range: program.Threshold,
			Meaning: "The shortest duration of a look-up that is an event although it has succeeded. With `1us` all look-ups are events.",
		},
		"timeout": {
			Unit: program.UnitDuration, Range: timeout,
			Meaning: "How long after the last query of a look-up no answer is a time-out. It should be longer than processes wait before they ask again.",
		},
	},
	Example:        "{threshold: 50ms}",
	Privileges:     []program.Privileges{{Needed: []kernel.Capability{kernel.CapNetAdmin}}},
	DefaultConfig:  func() program.Config { return defaultConfig() },
	New:            newProgram,
	Needs:          []*program.Definition{&cgroup.Definition},
	EventsOfScrape: true,
}

// Config is the configuration block `programs::dns`.
type Config struct {
	program.ThresholdConfig `mapstructure:",squash"`
	// Timeout is how long after its last query a look-up without an answer has failed.
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
