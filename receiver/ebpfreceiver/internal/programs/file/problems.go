// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package file

import "github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"

// problems are what the event store reports of this program's events. Programs look for files that need not be there, and try to remove
// directories that need not be empty: the errors in Noise.
var problems = []program.Problem{
	{
		Name: "file_failed", Meaning: "A process could not delete or open a file.", Event: "ebpf.file.*", Warnings: true,
		By: []string{"command", "unit", "container", "type", "error"}, Weight: 6, Least: 1,
		Noise: map[string][]string{"error": {"enoent", "enotdir", "enotempty", "eexist", "eisdir"}},
		Title: "{who} cannot {action} files: {error}",
	},
}
