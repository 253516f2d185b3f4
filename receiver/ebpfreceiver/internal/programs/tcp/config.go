// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package tcp is the program `tcp`: what TCP sends again, which connections are reset, and how long a round trip takes.
package tcp

import (
	"errors"
	"time"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/programs/cgroup"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/programs/socket"
)

const (
	// defaultEventLimit holds back the events of a lossy network or a port scan, never their metrics.
	defaultEventLimit = 1000

	defaultRTTInterval = 100 * time.Millisecond
	// The kernel half compares 32 bits of a clock in µs.
	minRTTInterval, maxRTTInterval = time.Millisecond, time.Hour
)

// Definition is the program's entry in the receiver's list of programs.
var Definition = program.Definition{
	Name:          "tcp",
	DefaultConfig: func() program.Config { return defaultConfig() },
	New:           newProgram,
	Needs:         []*program.Definition{&cgroup.Definition, &socket.Definition},
}

// Config is the configuration block `programs::tcp`.
type Config struct {
	program.CommonConfig `mapstructure:",squash"`
	// RTTInterval is the least time between two looks at the round-trip time of a connection.
	RTTInterval time.Duration `mapstructure:"rtt_interval"`
}

var _ program.Config = (*Config)(nil)

func defaultConfig() *Config {
	limit := defaultEventLimit
	return &Config{
		CommonConfig: program.CommonConfig{Events: true, EventLimit: &limit},
		RTTInterval:  defaultRTTInterval,
	}
}

// Validate implements program.Config.
func (c *Config) Validate() error {
	return errors.Join(
		c.CommonConfig.Validate(),
		program.CheckDuration("rtt_interval", c.RTTInterval, minRTTInterval, maxRTTInterval, defaultRTTInterval),
	)
}
