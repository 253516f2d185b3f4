// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package diskio

import "github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"

// problems are what the event store reports of this program's events.
var problems = []program.Problem{
	{
		Name: "slow_disk", Meaning: "Operations of a disk took longer than the threshold.", Event: "ebpf.disk.slow_operation",
		By: []string{"attr.system.device", "attr.ebpf.disk.operation.type"}, Weight: 10, Least: 3,
		Title: "disk {attr.system.device} is slow: {attr.ebpf.disk.operation.type}",
	},
}
