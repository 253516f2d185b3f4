// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package packetdrop

import "github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"

// problems are what the event store reports of this program's events.
var problems = []program.Problem{
	{
		Name: "packet_drop", Meaning: "The kernel dropped packets.", Event: "ebpf.packet.drop", Warnings: true,
		By: []string{"reason", "command", "unit", "container", "attr.ebpf.drop.location"}, Weight: 15, Least: 3,
		Title: "packets of {who} are dropped: {reason|no reason given}[ in {attr.ebpf.drop.location}]",
	},
}
