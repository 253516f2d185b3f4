// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package packetdrop is the program `packet_drop`: the packets that the kernel drops, with reason and owner.
package packetdrop

import (
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/programs/cgroup"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/programs/socket"
)

// defaultEventLimit limits the events of a drop storm, but not its metrics.
const defaultEventLimit = 1000

// Definition is the program's entry in the receiver's list of programs.
var Definition = program.Definition{
	Name:    "packet_drop",
	Purpose: "Which packets the kernel drops, why, in which function, and whose they were.",
	Privileges: []program.Privileges{{
		Needed: []kernel.Capability{kernel.CapNetAdmin},
		Serves: map[kernel.Capability]string{kernel.CapSyslog: "ebpf.drop.location"},
	}},
	Problems:      problems,
	DefaultConfig: func() program.Config { return defaultConfig() },
	New:           newProgram,
	Listeners:     true,
	Sampled:       true,
	// For the overflows of accept queues, which no hook sees.
	EventsOfScrape: true,
	Needs:          []*program.Definition{&cgroup.Definition, &socket.Definition},
}

func defaultConfig() *program.CommonConfig {
	config := program.Limited(defaultEventLimit)
	return &config
}
