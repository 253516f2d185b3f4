// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package oom is the program `oom`: which processes the kernel kills because memory has run out.
package oom

import (
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/programs/cgroup"
)

// Definition is the program's entry in the receiver's list of programs.
var Definition = program.Definition{
	Name:          "oom",
	DefaultConfig: func() program.Config { return defaultConfig() },
	New:           newProgram,
	Needs:         []*program.Definition{&cgroup.Definition},
}

// Config is the configuration block `programs::oom`.
type Config struct {
	program.CommonConfig `mapstructure:",squash"`
}

var _ program.Config = (*Config)(nil)

func defaultConfig() *Config {
	return &Config{CommonConfig: program.CommonConfig{Events: true}}
}
