// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package results

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func read(text, end string) *Package {
	p := NewPackage("example.org/p")
	for line := range strings.Lines(text) {
		p.Add(strings.TrimSuffix(line, "\n"))
	}
	p.End(end)
	return p
}

func TestPackage(t *testing.T) {
	p := read(`=== RUN   TestHooks
    hooks_test.go:30: program connection is attached to tp_btf/inet_sock_set_state
    hooks_test.go:30: program packet_drop is attached to tp_btf/kfree_skb
--- PASS: TestHooks (1.50s)
=== RUN   TestFamilies
=== RUN   TestFamilies/IPv4
=== RUN   TestFamilies/IPv6
    families_test.go:12: 
        	Error: not equal
=== NAME  TestFamilies
--- FAIL: TestFamilies (0.30s)
    --- PASS: TestFamilies/IPv4 (0.10s)
    --- FAIL: TestFamilies/IPv6 (0.20s)
=== RUN   TestOld
    old_test.go:3: the kernel is too old
--- SKIP: TestOld (0.00s)
=== RUN   TestGroup
=== RUN   TestGroup/a
--- PASS: TestGroup (0.00s)
    --- PASS: TestGroup/a (0.00s)
FAIL
`, "exit status 1")
	assert.Equal(t, []Test{
		{"TestFamilies/IPv4", Passed, 100 * time.Millisecond},
		{"TestFamilies/IPv6", Failed, 200 * time.Millisecond},
		{"TestGroup/a", Passed, 0},
		{"TestHooks", Passed, 1500 * time.Millisecond},
		{"TestOld", Skipped, 0},
	}, p.Tests)
	assert.Equal(t, []Hook{{"connection", "tp_btf/inet_sock_set_state"}, {"packet_drop", "tp_btf/kfree_skb"}}, p.Hooks)
	assert.Len(t, p.Text, 1)
	assert.Contains(t, p.Text["TestFamilies"], "Error: not equal")
	assert.Contains(t, p.Text["TestFamilies"], "--- FAIL: TestFamilies/IPv6")
	assert.NotContains(t, p.Text["TestFamilies"], "TestOld")
}

func TestFailureOfTheParentAlone(t *testing.T) {
	p := read("=== RUN   TestA\n=== RUN   TestA/x\n--- FAIL: TestA (0.00s)\n    --- PASS: TestA/x (0.00s)\n", "exit status 1")
	assert.Equal(t, []Test{{"TestA", Failed, 0}, {"TestA/x", Passed, 0}}, p.Tests)
}

func TestPanic(t *testing.T) {
	p := read("=== RUN   TestA\n--- PASS: TestA (0.00s)\n=== RUN   TestB\n=== RUN   TestB/x\npanic: oh\n", "exit status 2")
	assert.Equal(t, []Test{{"TestA", Passed, 0}, {"TestB/x", Failed, 0}}, p.Tests)
	assert.Contains(t, p.Text["TestB"], "panic: oh")
}

func TestBinaryThatFailsWithoutTests(t *testing.T) {
	for _, p := range []*Package{read("", ""), read("cannot start\n", "exit status 1")} {
		assert.Equal(t, []Test{{Name: "(binary)", Status: Failed}}, p.Tests)
	}
	p := read("=== RUN   TestA\n--- PASS: TestA (0.00s)\nleak found\n", "exit status 1")
	assert.Equal(t, []Test{{Name: "(binary)", Status: Failed}, {"TestA", Passed, 0}}, p.Tests)
	assert.Contains(t, p.Text["(binary)"], "exit status 1")
}

const firstRun = `=== RUN   TestA
--- PASS: TestA (0.00s)
=== RUN   TestB
=== RUN   TestB/x
    b_test.go:1: too late
=== RUN   TestB/y
--- FAIL: TestB (0.00s)
    --- FAIL: TestB/x (0.00s)
    --- PASS: TestB/y (0.00s)
=== RUN   TestC
--- FAIL: TestC (0.00s)
FAIL
`

func TestRepeat(t *testing.T) {
	p := read(firstRun, "exit status 1")
	names, ok := p.Failures()
	assert.True(t, ok)
	assert.Equal(t, []string{"TestB", "TestC"}, names)
	p.Repeat(read(`=== RUN   TestB
=== RUN   TestB/x
=== RUN   TestB/y
--- PASS: TestB (0.00s)
    --- PASS: TestB/x (2.00s)
    --- PASS: TestB/y (0.00s)
=== RUN   TestC
--- FAIL: TestC (0.00s)
FAIL
`, "exit status 1"))
	assert.Equal(t, []Test{{"TestA", Passed, 0}, {"TestB/x", Passed, 2 * time.Second}, {"TestB/y", Passed, 0}, {"TestC", Failed, 0}}, p.Tests)
	assert.Equal(t, []string{"TestB"}, p.Repeated)
	assert.Contains(t, p.Text["TestB"], "too late", "the first failure is still shown")
}

func TestRepeatProvesNothing(t *testing.T) {
	for name, second := range map[string]*Package{
		"it did not run":        read("=== RUN   TestA\n--- PASS: TestA (0.00s)\n", ""),
		"it is not there":       read("=== RUN   TestB\n--- SKIP: TestB (0.00s)\n=== RUN   TestC\n", "exit status 2"),
		"it left something":     read("=== RUN   TestB\n--- PASS: TestB (0.00s)\nleak found\n", "exit status 1"),
		"the binary broke down": read("=== RUN   TestB\n--- PASS: TestB (0.00s)\npanic: oh\n", "exit status 2"),
	} {
		t.Run(name, func(t *testing.T) {
			p := read(firstRun, "exit status 1")
			before := p.Tests
			p.Repeat(second)
			assert.Equal(t, before, p.Tests)
			assert.Empty(t, p.Repeated)
		})
	}
}

func TestFailuresThatAreNotTheTestsOwn(t *testing.T) {
	for _, p := range []*Package{
		read(firstRun, "exit status 2"),
		read("=== RUN   TestB\n", "exit status 1"),
		read("=== RUN   TestA\n--- PASS: TestA (0.00s)\nleak found\n", "exit status 1"),
	} {
		_, ok := p.Failures()
		assert.False(t, ok)
	}
}
