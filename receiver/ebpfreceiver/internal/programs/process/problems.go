// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package process

import "github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"

// problems are what the event store reports of this program's events.
var problems = []program.Problem{
	{
		Name: "crash", Meaning: "A process ended by a fatal signal or with an error.", Event: "ebpf.process.exit", Warnings: true,
		By: []string{
			"command", "unit", "container", "attr.ebpf.process.exit.class", "attr.ebpf.process.exit.signal", "attr.process.exit.code",
		},
		Weight: 60, Least: 1,
		Title: "{who}[ was ended by signal {attr.ebpf.process.exit.signal}][ exited with code {attr.process.exit.code}]",
	},
}
