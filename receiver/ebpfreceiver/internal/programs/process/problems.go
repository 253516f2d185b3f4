// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package process

import "github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"

const (
	exitSignal = "attr.ebpf.process.exit.signal"
	killed     = "SIGKILL"
)

// problems are what the event store reports of this program's events. Processes are asked to end by the signals in Noise, or get SIGPIPE
// when nobody reads their output any more.
var problems = []program.Problem{
	{
		Name: "crash", Meaning: "A process was ended by a signal such as SIGSEGV or SIGABRT.", Event: "ebpf.process.exit", Warnings: true,
		By: []string{"command", "unit", "container", exitSignal}, Weight: 60, Least: 1,
		Noise: map[string][]string{exitSignal: {killed, "SIGTERM", "SIGINT", "SIGHUP", "SIGPIPE"}},
		Title: "{who} crashed: {attr.ebpf.process.exit.signal|no signal given}",
	},
	{
		Name: "killed", Meaning: "A process was killed by SIGKILL, not for lack of memory.", Event: "ebpf.process.exit", Warnings: true,
		By: []string{"command", "unit", "container", exitSignal}, Weight: 15, Least: 1,
		Only:  map[string][]string{exitSignal: {killed}},
		Title: "{who} was killed (SIGKILL)",
	},
}
