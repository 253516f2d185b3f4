// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package packetdrop is the program `packet_drop`: which packets the kernel drops, why, and whose they were.
package packetdrop

import (
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/programs/cgroup"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/programs/socket"
)

// defaultEventLimit holds back the events of a drop storm, never its metrics.
const defaultEventLimit = 1000

// Definition is the program's entry in the receiver's list of programs.
var Definition = program.Definition{
	Name:          "packet_drop",
	DefaultConfig: func() program.Config { return defaultConfig() },
	New:           newProgram,
	Needs:         []*program.Definition{&cgroup.Definition, &socket.Definition},
}

// Config is the configuration block `programs::packet_drop`.
type Config struct {
	program.CommonConfig `mapstructure:",squash"`
}

var _ program.Config = (*Config)(nil)

func defaultConfig() *Config {
	limit := defaultEventLimit
	return &Config{CommonConfig: program.CommonConfig{Events: true, EventLimit: &limit}}
}
