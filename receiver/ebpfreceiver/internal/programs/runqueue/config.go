// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package runqueue is the program `runqueue`: how long tasks that could run wait for a CPU.
package runqueue

import (
	"errors"
	"time"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/programs/cgroup"
)

const (
	// defaultEventLimit holds back the events of a host that has far too few CPUs, never their metric.
	defaultEventLimit = 1000

	defaultThreshold           = 100 * time.Millisecond
	minThreshold, maxThreshold = time.Microsecond, time.Hour
)

// Definition is the program's entry in the receiver's list of programs.
var Definition = program.Definition{
	Name:          "runqueue",
	DefaultConfig: func() program.Config { return defaultConfig() },
	New:           newProgram,
	Needs:         []*program.Definition{&cgroup.Definition},
}

// Config is the configuration block `programs::runqueue`.
type Config struct {
	program.CommonConfig `mapstructure:",squash"`
	// Threshold is the longest wait that is no stall.
	Threshold time.Duration `mapstructure:"threshold"`
}

var _ program.Config = (*Config)(nil)

func defaultConfig() *Config {
	limit := defaultEventLimit
	return &Config{
		CommonConfig: program.CommonConfig{Events: true, EventLimit: &limit},
		Threshold:    defaultThreshold,
	}
}

// Validate implements program.Config.
func (c *Config) Validate() error {
	return errors.Join(c.CommonConfig.Validate(), program.CheckThreshold(c.Threshold, minThreshold, maxThreshold, defaultThreshold))
}
