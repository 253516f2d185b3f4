// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package process is the program `process`: executions and exits of processes.
package process

import (
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/programs/cgroup"
)

// Definition is the program's entry in the receiver's list of programs.
var Definition = program.Definition{
	Name:    "process",
	Purpose: "What processes execute, and how they end.",
	Settings: map[string]program.Setting{
		"arguments": {
			Meaning: "Whether events have the arguments of executed programs. Arguments may contain passwords and other secrets, and go wherever the events go.",
		},
	},
	Example:       "{arguments: true}",
	Problems:      problems,
	DefaultConfig: func() program.Config { return defaultConfig() },
	New:           newProgram,
	Needs:         []*program.Definition{&cgroup.Definition},
}

// Config is the configuration block `programs::process`.
type Config struct {
	program.CommonConfig `mapstructure:",squash"`
	// Arguments adds the arguments to the events. They may contain secrets.
	Arguments bool `mapstructure:"arguments"`
}

var _ program.Config = (*Config)(nil)

func defaultConfig() *Config {
	return &Config{CommonConfig: program.Unlimited()}
}
