// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package syscalls

import "github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"

// problems are what the event store reports of this program's events.
var problems = []program.Problem{
	{
		Name: "slow_syscall", Meaning: "System calls took longer than the threshold.", Event: "ebpf.syscall.slow",
		By: []string{"command", "unit", "container", "attr.ebpf.syscall.name"}, Weight: 4, Least: 5,
		Title: "system call {attr.ebpf.syscall.name} of {who} is slow",
	},
}
