// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package connection

import "github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"

// problems are what the event store reports of this program's events.
var problems = []program.Problem{
	{
		Name: "connection_failed", Meaning: "A process could not connect to a server.", Event: "ebpf.connection.connect", Warnings: true,
		By: []string{"command", "unit", "container", "address", "port", "error", "attr.ebpf.connection.cause"}, Weight: 40, Least: 1,
		Title: "{who} cannot connect to {peer}: {error}",
	},
	{
		Name: "connection_aborted", Meaning: "An established connection ended with an error.", Event: "ebpf.connection.close", Warnings: true,
		By: []string{"command", "unit", "container", "address", "port", "error", "attr.ebpf.connection.cause"}, Weight: 30, Least: 1,
		Title: "connections of {who} with {peer} break: {error}",
	},
}
