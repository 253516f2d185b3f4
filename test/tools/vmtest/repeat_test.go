// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/tools/vmtest/internal/results"
)

// ran returns a package whose tests ended with this status.
func ran(status results.Status, tests ...string) *results.Package {
	p := results.NewPackage("./p")
	for _, name := range tests {
		p.Add("=== RUN   " + name)
		p.Add("--- " + string(status) + ": " + name + " (0.00s)")
	}
	return p
}

func ended(p *results.Package, how string) *results.Package {
	p.End(how)
	return p
}

func TestRepeatable(t *testing.T) {
	for want, packages := range map[string][]*results.Package{
		"^(TestA|TestB|TestC)$": {
			ended(ran(results.Failed, "TestA", "TestB"), "exit status 1"),
			ended(ran(results.Passed, "TestX"), ""),
			ended(ran(results.Failed, "TestC"), "exit status 1"),
		},
		"": {ended(ran(results.Passed, "TestX"), "")},
	} {
		assert.Equal(t, want, (&outcome{packages: packages}).repeatable())
	}
	for why, p := range map[string]*results.Package{
		"too many":                ended(ran(results.Failed, "TestA", "TestB", "TestC", "TestD"), "exit status 1"),
		"others may not have run": ended(ran(results.Failed, "TestA"), "exit status 2"),
	} {
		assert.Empty(t, (&outcome{packages: []*results.Package{p}}).repeatable(), why)
	}
}

func TestRepeatedIsReported(t *testing.T) {
	first := outcome{line: line{"7", "amd64"}, version: "7.1.2-1", packages: []*results.Package{
		ended(ran(results.Passed, "TestX"), ""), ended(ran(results.Failed, "TestConnectionUDPSend"), "exit status 1"),
	}}
	_, err := report([]outcome{first})
	require.EqualError(t, err, "1 tests failed")
	first.repeat(&outcome{packages: []*results.Package{ended(ran(results.Passed), ""), ended(ran(results.Passed, "TestConnectionUDPSend"), "")}})
	text, err := report([]outcome{first})
	require.NoError(t, err)
	assert.Contains(t, text, "=== 7.1.2-1 amd64: TestConnectionUDPSend of ./p")
	assert.Contains(t, text, "| 7.1.2-1 amd64 | connection |  | 1 | 0 | 0 |\n")
	assert.Contains(t, text, "\n7.1.2-1 amd64: TestConnectionUDPSend failed once, and passed when it was repeated")
	assert.Contains(t, text, "\n2 passed, 0 failed, 0 skipped\n")
}
