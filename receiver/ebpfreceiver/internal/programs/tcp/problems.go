// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package tcp

import "github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"

// problems are what the event store reports of this program's events.
var problems = []program.Problem{
	{
		Name: "tcp_reset", Meaning: "TCP connections were reset.", Event: "ebpf.tcp.reset", Warnings: true,
		By: []string{"command", "unit", "container", "address", "port", "reason"}, Weight: 10, Least: 3,
		Title: "connections of {who} with {peer} are reset[: {reason}]",
	},
	{
		Name: "tcp_retransmit", Meaning: "TCP segments had to be sent again.", Event: "ebpf.tcp.retransmit", Warnings: true,
		By: []string{"command", "unit", "container", "address", "port"}, Weight: 5, Least: 5,
		Title: "{who} retransmits to {peer}",
	},
}
