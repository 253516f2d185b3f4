// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package packetdrop

import "github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"

// problems are what the event store reports of this program's events.
var problems = []program.Problem{
	{
		Name: "packet_drop", Meaning: "The kernel dropped packets.", Event: "ebpf.packet.drop", Warnings: true,
		By: []string{"reason", "command", "unit", "container", "attr.ebpf.drop.location"}, Weight: 15, Least: 3,
		Noise: map[string][]string{"reason": {"no_socket"}},
		Title: "packets of {who} are dropped: {reason|no reason given}[ in {attr.ebpf.drop.location}]",
	},
	{
		Name: "closed_port", Meaning: "Packets came to a port that nobody listens on.", Event: "ebpf.packet.drop", Warnings: true,
		Reason: "no_socket", By: []string{"address", "port", "attr.network.transport"}, Peers: "ports", Weight: 5, Least: 10,
		Title: "packets come to {peer} by {attr.network.transport|an unknown protocol}, but nobody listens",
	},
}
