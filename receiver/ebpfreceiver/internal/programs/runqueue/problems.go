// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package runqueue

import "github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"

// problems are what the event store reports of this program's events.
var problems = []program.Problem{
	{
		Name: "cpu_stall", Meaning: "Tasks waited for a CPU longer than the threshold.", Event: "ebpf.runqueue.stall",
		By: []string{"command", "unit", "container"}, Weight: 8, Least: 3,
		Title: "{who} waits for a CPU",
	},
}
