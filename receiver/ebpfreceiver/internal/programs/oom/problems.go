// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package oom

import "github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"

// problems are what the event store reports of this program's events.
var problems = []program.Problem{
	{
		Name: "oom_kill", Meaning: "The kernel killed a process because memory ran out.", Event: "ebpf.oom.kill",
		By: []string{"command", "unit", "container"}, Weight: 100, Least: 1,
		Title: "{who} was killed because memory ran out",
	},
}
