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

// Test is a test without subtests, or a subtest at the lowest level.
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

// Hook is a hook that a program is attached to.
type Hook struct{ Program, Name string }

// testsFailed is how a binary ends if all tests ran and some failed. One that panics ends otherwise.
const testsFailed = "exit status 1"

// Package has the results of one test binary.
type Package struct {
	Name  string
	Tests []Test
	Hooks []Hook
	// Text is the output of each failed test function.
	Text map[string]string
	// Chosen is whether tests were chosen by name. Then a package may have none.
	Chosen bool
	// Repeated are the test functions that failed at first and passed when repeated.
	Repeated []string

	// complete is whether each test ended by itself.
	complete bool

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
	// hook matches the line by which a test logs where a program is attached.
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

// flush keeps the output of the test function that ends here, if it failed.
func (p *Package) flush() {
	if p.current != "" && slices.ContainsFunc(p.Tests, func(t Test) bool { return t.Name == p.current && t.Status == Failed }) {
		p.Text[p.current] = strings.Join(p.lines, "\n")
	}
	p.lines = nil
}

// End takes how the binary ended; "" means success. Tests that have not ended by then have failed, and so has a binary that
// ran no tests.
func (p *Package) End(how string) {
	p.complete = len(p.running) == 0 && (how == "" || how == testsFailed)
	for name := range p.running {
		p.Tests = append(p.Tests, Test{Name: name, Status: Failed})
	}
	p.flush()
	failed := slices.ContainsFunc(p.Tests, func(t Test) bool { return t.Status == Failed })
	if !failed && (how != "" || len(p.Tests) == 0 && !p.Chosen) {
		p.Tests = append(p.Tests, Test{Name: "(binary)", Status: Failed})
		p.Text["(binary)"] = fmt.Sprintf("%s: it ran %d tests and ended with %q", p.Name, len(p.Tests)-1, how)
	}
	slices.SortStableFunc(p.Tests, byName)
	// Drop tests that have subtests: the subtests are listed.
	p.Tests = slices.DeleteFunc(p.Tests, func(t Test) bool {
		return slices.ContainsFunc(p.Tests, func(sub Test) bool {
			return strings.HasPrefix(sub.Name, t.Name+"/") && (t.Status != Failed || sub.Status == Failed)
		})
	})
}

// Failures returns the test functions that failed. ok is false if there is more than these failures, such as a test that
// never ended, because tests after it have not run.
func (p *Package) Failures() (names []string, ok bool) {
	for _, t := range p.Tests {
		if t.Status != Failed {
			continue
		}
		if !strings.HasPrefix(t.Name, "Test") {
			return nil, false
		}
		if !slices.Contains(names, t.Top()) {
			names = append(names, t.Top())
		}
	}
	return names, p.complete
}

// Repeat replaces the results of failed tests with those of a second run.
func (p *Package) Repeat(second *Package) {
	failures, _ := p.Failures()
	again, ok := second.Failures()
	if !ok {
		return
	}
	for _, name := range failures {
		of := func(t Test) bool { return t.Top() == name }
		if !slices.ContainsFunc(second.Tests, of) || slices.Contains(again, name) {
			continue
		}
		p.Repeated = append(p.Repeated, name)
		p.Tests = slices.DeleteFunc(p.Tests, of)
		for _, t := range second.Tests {
			if of(t) {
				p.Tests = append(p.Tests, t)
			}
		}
	}
	slices.SortStableFunc(p.Tests, byName)
}

func byName(a, b Test) int { return strings.Compare(a.Name, b.Name) }
