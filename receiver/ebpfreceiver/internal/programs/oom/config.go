// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package oom is the program `oom`: the processes that the kernel kills because memory has run out.
package oom

import (
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/programs/cgroup"
)

// Definition is the program's entry in the receiver's list of programs.
var Definition = program.Definition{
	Name:          "oom",
	Purpose:       "Which processes the kernel kills because memory has run out, and what memory they had.",
	Problems:      problems,
	DefaultConfig: func() program.Config { return defaultConfig() },
	New:           newProgram,
	Needs:         []*program.Definition{&cgroup.Definition},
}

func defaultConfig() *program.CommonConfig {
	config := program.Unlimited()
	return &config
}
