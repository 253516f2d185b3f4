// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package results reads what test binaries print with -test.v.
package results

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Status is how a test ended.
type Status string

// The ways for a test to end.
const (
	Passed  Status = "PASS"
	Failed  Status = "FAIL"
	Skipped Status = "SKIP"
)

// Test is a test, or a subtest that has none below it.
type Test struct {
	Name     string
	Status   Status
	Duration time.Duration
}

// Top is the name of the test function.
func (t Test) Top() string {
	top, _, _ := strings.Cut(t.Name, "/")
	return top
}

// Hook says where a program is attached.
type Hook struct{ Program, Name string }

// Package is what came of one test binary.
type Package struct {
	Name  string
	Tests []Test
	Hooks []Hook
	// Text is what each failed test function printed.
	Text map[string]string
	// Chosen is whether tests were chosen by their names, so that there may be none.
	Chosen bool

	current string
	lines   []string
	running map[string]bool
}

// NewPackage returns a package whose tests have not begun.
func NewPackage(name string) *Package {
	return &Package{Name: name, Text: map[string]string{}, running: map[string]bool{}}
}

var (
	begun = regexp.MustCompile(`^=== RUN +(\S+)$`)
	ended = regexp.MustCompile(`^ *--- (PASS|FAIL|SKIP): (\S+) \((\d+\.\d+)s\)$`)
	// hook is how a test tells where a program is attached.
	hook = regexp.MustCompile(`\bprogram (\w+) is attached to (\S.*)$`)
)

// Add takes one line of the binary's output.
func (p *Package) Add(line string) {
	if m := begun.FindStringSubmatch(line); m != nil {
		p.running[m[1]] = true
		if top := (Test{Name: m[1]}).Top(); top != p.current {
			p.flush()
			p.current = top
		}
	}
	p.lines = append(p.lines, line)
	if m := ended.FindStringSubmatch(line); m != nil {
		delete(p.running, m[2])
		seconds, _ := time.ParseDuration(m[3] + "s")
		p.Tests = append(p.Tests, Test{Name: m[2], Status: Status(m[1]), Duration: seconds})
	}
	if m := hook.FindStringSubmatch(line); m != nil {
		p.Hooks = append(p.Hooks, Hook{Program: m[1], Name: m[2]})
	}
}

// flush keeps what the test function printed that ends here, if it failed.
func (p *Package) flush() {
	if p.current != "" && slices.ContainsFunc(p.Tests, func(t Test) bool { return t.Name == p.current && t.Status == Failed }) {
		p.Text[p.current] = strings.Join(p.lines, "\n")
	}
	p.lines = nil
}

// End takes how the binary ended, "" for well. What had not ended by then has failed, and so has a binary without tests.
func (p *Package) End(how string) {
	for name := range p.running {
		p.Tests = append(p.Tests, Test{Name: name, Status: Failed})
	}
	p.flush()
	failed := slices.ContainsFunc(p.Tests, func(t Test) bool { return t.Status == Failed })
	if !failed && (how != "" || len(p.Tests) == 0 && !p.Chosen) {
		p.Tests = append(p.Tests, Test{Name: "(binary)", Status: Failed})
		p.Text["(binary)"] = fmt.Sprintf("%s: it ran %d tests and ended with %q", p.Name, len(p.Tests)-1, how)
	}
	slices.SortStableFunc(p.Tests, func(a, b Test) int { return strings.Compare(a.Name, b.Name) })
	// A test with subtests says no more than they do.
	p.Tests = slices.DeleteFunc(p.Tests, func(t Test) bool {
		return slices.ContainsFunc(p.Tests, func(sub Test) bool {
			return strings.HasPrefix(sub.Name, t.Name+"/") && (t.Status != Failed || sub.Status == Failed)
		})
	})
}
