// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package tcp is the program `tcp`: retransmits, resets and round-trip times of TCP.
package tcp

import (
	"errors"
	"time"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/programs/cgroup"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/programs/socket"
)

// defaultEventLimit limits the events of a lossy network or a port scan. Their metrics have no limit.
const defaultEventLimit = 1000

// rttInterval is at most what the BPF side can compare: it keeps 32 bits of a clock in µs.
var rttInterval = program.Range[time.Duration]{Least: time.Millisecond, Most: time.Hour, Default: 100 * time.Millisecond}

// Definition is the program's entry in the receiver's list of programs.
var Definition = program.Definition{
	Name:    "tcp",
	Purpose: "What TCP sends again and why, which connections are reset, and how long a round trip takes.",
	Settings: map[string]program.Setting{
		"rtt_interval": {
			Unit: program.UnitDuration, Range: rttInterval,
			Meaning: "The least time between two samples of a connection's round-trip time.",
		},
	},
	Example:       "{rtt_interval: 1s}",
	Privileges:    []program.Privileges{{Needed: []kernel.Capability{kernel.CapNetAdmin}}},
	Problems:      problems,
	DefaultConfig: func() program.Config { return defaultConfig() },
	New:           newProgram,
	Sampled:       true,
	Needs:         []*program.Definition{&cgroup.Definition, &socket.Definition},
}

// Config is the configuration block `programs::tcp`.
type Config struct {
	program.CommonConfig `mapstructure:",squash"`
	// RTTInterval is the minimum time between two samples of a connection's round-trip time.
	RTTInterval time.Duration `mapstructure:"rtt_interval"`
}

var _ program.Config = (*Config)(nil)

func defaultConfig() *Config {
	return &Config{CommonConfig: program.Limited(defaultEventLimit), RTTInterval: rttInterval.Default}
}

// Validate implements program.Config.
func (c *Config) Validate() error {
	return errors.Join(c.CommonConfig.Validate(), rttInterval.Check("rtt_interval", c.RTTInterval))
}
