// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package runqueue is the program `runqueue`: how long runnable tasks wait for a CPU.
package runqueue

import (
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/programs/cgroup"
)

// defaultEventLimit limits the events of a host with far too few CPUs. Its metric has no limit.
const defaultEventLimit = 1000

// Definition is the program's entry in the receiver's list of programs.
var Definition = program.Definition{
	Name:    "runqueue",
	Purpose: "How long tasks that could run wait for a CPU.",
	Settings: map[string]program.Setting{
		"threshold": {
			Unit: program.UnitDuration, Range: program.Threshold,
			Meaning: "A longer wait for a CPU is an event.",
		},
	},
	Example:       "{threshold: 50ms}",
	Problems:      problems,
	DefaultConfig: func() program.Config { return defaultConfig() },
	New:           newProgram,
	Needs:         []*program.Definition{&cgroup.Definition},
}

func defaultConfig() *program.ThresholdConfig { return program.NewThresholdConfig(defaultEventLimit) }
