// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package diskio is the program `disk_io`: operations of disks, their duration, and their container.
package diskio

import (
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/programs/cgroup"
)

// defaultEventLimit limits the events of an overloaded disk. Its metrics have no limit.
const defaultEventLimit = 1000

// Definition is the program's entry in the receiver's list of programs.
var Definition = program.Definition{
	Name:    "disk_io",
	Purpose: "What disks are asked to do, how long it takes them, and for whom.",
	Settings: map[string]program.Setting{
		"threshold": {
			Unit: program.UnitDuration, Range: program.Threshold,
			Meaning: "The shortest time from issue to completion of an operation that is an event.",
		},
	},
	Example:       "{threshold: 50ms}",
	Problems:      problems,
	DefaultConfig: func() program.Config { return defaultConfig() },
	New:           newProgram,
	Needs:         []*program.Definition{&cgroup.Definition},
}

func defaultConfig() *program.ThresholdConfig { return program.NewThresholdConfig(defaultEventLimit) }
