// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package filedescriptor

import "github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"

// problems are what the event store reports of this program's events.
var problems = []program.Problem{
	{
		Name: "descriptor_leak", Meaning: "A process opens descriptors and does not close them.", Event: "ebpf.file_descriptor.leak", Warnings: true,
		By: []string{"command", "pid", "unit", "container", "attr.ebpf.file_descriptor.kind"}, Weight: 40, Least: 1,
		Title: "{who} leaks descriptors of kind {attr.ebpf.file_descriptor.kind}",
	},
}
