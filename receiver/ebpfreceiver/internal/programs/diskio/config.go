// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package diskio is the program `disk_io`: what disks are asked to do, how long it takes them, and for whom.
package diskio

import (
	"errors"
	"time"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/programs/cgroup"
)

const (
	// defaultEventLimit holds back the events of a disk that is too slow for all that it is asked to do, never its metrics.
	defaultEventLimit = 1000

	defaultThreshold           = 100 * time.Millisecond
	minThreshold, maxThreshold = time.Microsecond, time.Hour
)

// Definition is the program's entry in the receiver's list of programs.
var Definition = program.Definition{
	Name:          "disk_io",
	DefaultConfig: func() program.Config { return defaultConfig() },
	New:           newProgram,
	Needs:         []*program.Definition{&cgroup.Definition},
}

// Config is the configuration block `programs::disk_io`.
type Config struct {
	program.CommonConfig `mapstructure:",squash"`
	// Threshold is the least duration of an operation that is an event.
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
