// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/tools/vmtest/internal/results"
)

func TestReport(t *testing.T) {
	p := results.NewPackage("./p")
	p.Add("=== RUN   TestHooks")
	p.Add("    x.go:1: program connection is attached to tp_btf/a")
	p.Add("    x.go:1: program connection is attached to tp_btf/b")
	p.Add("    x.go:1: program connection is attached to tp_btf/a")
	p.Add("--- PASS: TestHooks (0.00s)")
	p.Add("=== RUN   TestConnectionOfMPTCPCountsOnce")
	p.Add("--- SKIP: TestConnectionOfMPTCPCountsOnce (0.00s)")
	good := outcome{line: line{"5.10", "amd64"}, version: "5.10.5-1", packages: []*results.Package{p}}
	p.End("")
	text, err := report([]outcome{good})
	assert.NoError(t, err)
	assert.Contains(t, text, "| 5.10.5-1 amd64 | (all) |  | 1 | 0 | 0 |\n| 5.10.5-1 amd64 | connection | tp_btf/a, tp_btf/b | 0 | 0 | 1 |\n")
	assert.Contains(t, text, "\n5.10.5-1 amd64 lacks what TestConnectionOfMPTCPCountsOnce needs\n")
	assert.Contains(t, text, "\n1 passed, 0 failed, 1 skipped\n")

	missing := outcome{line: line{"5.10", "amd64"}, err: errors.New("the archive has none")}
	text, err = report([]outcome{missing, good})
	assert.EqualError(t, err, "kernel 5.10 amd64: the archive has none")
	assert.Contains(t, text, "| 5.10 amd64 | | | | | |\n")
	assert.Contains(t, text, "\n1 passed, 1 failed, 1 skipped\n")

	for _, other := range []line{{"6.12", "amd64"}, {"5.10", "amd64"}} {
		p = results.NewPackage("./p")
		name := "TestConnectionOfMPTCPCountsOnce"
		if other.series == "5.10" {
			name = "TestConnectionUDPSend"
		}
		p.Add("=== RUN   " + name)
		p.Add("--- SKIP: " + name + " (0.00s)")
		p.End("")
		_, err = report([]outcome{{line: other, packages: []*results.Package{p}}})
		assert.EqualError(t, err, other.String()+" skips "+name+", although it has what the test needs")
	}

	p = results.NewPackage("./p")
	p.Add("=== RUN   TestPacketDropAtFullSocket")
	p.Add("    x.go:1: 3 drops are missing")
	p.Add("--- FAIL: TestPacketDropAtFullSocket (0.00s)")
	p.End("exit status 1")
	text, err = report([]outcome{{line: line{"7", "arm64"}, version: "7.1.2-1", packages: []*results.Package{p}}})
	assert.EqualError(t, err, "1 tests failed")
	assert.Contains(t, text, "=== 7.1.2-1 arm64: TestPacketDropAtFullSocket of ./p")
	assert.Contains(t, text, "3 drops are missing")
	assert.Contains(t, text, "| 7.1.2-1 arm64 | packet_drop |  | 0 | 1 | 0 |\n")
}

func TestProgramOf(t *testing.T) {
	for test, want := range map[string]string{
		"TestPacketDropAtFullSocket":            "packet_drop",
		"TestPacketDropsLeaveOutOrdinaryCloses": "packet_drop",
		"TestConnectionUDPSend":                 "connection",
		"TestConnectionFailed":                  "connection",
		"TestConnectionMetrics":                 "connection",
		"TestShutdownLeavesNothing":             others,
	} {
		assert.Equal(t, want, programOf(test), test)
	}
}
