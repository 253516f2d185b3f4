// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package dns

import "github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"

// problems are what the event store reports of this program's events.
var problems = []program.Problem{
	{
		Name: "lookup_failed", Meaning: "A process could not look up a name.", Event: "ebpf.dns.lookup", Warnings: true,
		By: []string{"command", "unit", "container", "address", "port", "error"}, Weight: 35, Least: 1,
		Title: "{who} cannot look up names at {peer}: {error}",
	},
}
