// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/programs"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/tools/vmtest/internal/results"
)

// others stands for the tests of what all programs have in common.
const others = "(all)"

// plurals matches what may follow a program's name in the name of a test.
var plurals = regexp.MustCompile(`^(s|es)?([A-Z0-9]|$)`)

// programOf returns the program that a test is about. The test's name begins with the program's name without underscores, in
// any case. The longest match counts: TestPacketDropSizes is about packet_drop, not about packet.
func programOf(test string) string {
	about, text := others, strings.TrimPrefix(test, "Test")
	for _, p := range programs.All() {
		word := strings.ReplaceAll(p.Name, "_", "")
		if len(text) >= len(word) && strings.EqualFold(text[:len(word)], word) && plurals.MatchString(text[len(word):]) &&
			(about == others || len(p.Name) > len(about)) {
			about = p.Name
		}
	}
	return about
}

// row is a line of the table.
type row struct {
	program                 string
	hooks                   []string
	passed, failed, skipped int
}

func (r *row) add(other row) {
	r.passed += other.passed
	r.failed += other.failed
	r.skipped += other.skipped
}

// rows returns the results by program, sorted.
func (out *outcome) rows() []row {
	byName := map[string]*row{}
	get := func(name string) *row {
		if byName[name] == nil {
			byName[name] = &row{program: name}
		}
		return byName[name]
	}
	for _, p := range out.packages {
		for _, h := range p.Hooks {
			if r := get(h.Program); !slices.Contains(r.hooks, h.Name) {
				r.hooks = append(r.hooks, h.Name)
			}
		}
		for _, t := range p.Tests {
			r := get(programOf(t.Top()))
			switch t.Status {
			case results.Passed:
				r.passed++
			case results.Failed:
				r.failed++
			case results.Skipped:
				r.skipped++
			}
		}
	}
	var rows []row
	for _, r := range byName {
		rows = append(rows, *r)
	}
	slices.SortFunc(rows, func(a, b row) int { return strings.Compare(a.program, b.program) })
	return rows
}

// name is the version that was tested, or the line if no version is known.
func (out *outcome) name() string {
	if out.version == "" {
		return out.line.String()
	}
	return out.version + " " + out.line.architecture
}

// summary describes the results of the kernel in one line.
func (out *outcome) summary() string {
	var total row
	for _, r := range out.rows() {
		total.add(r)
	}
	text := fmt.Sprintf("%s: booted in %s, ended after %s: %d passed, %d failed, %d skipped",
		out.name(), out.boot.Round(time.Second), out.total.Round(time.Second), total.passed, total.failed, total.skipped)
	if out.err != nil {
		text += ": " + out.err.Error()
	}
	return text
}

// report returns the output of failed tests and the table. It returns an error if anything failed.
func report(outcomes []outcome) (string, error) {
	var (
		b     strings.Builder
		total row
		errs  []error
	)
	for i := range outcomes {
		out := &outcomes[i]
		for _, p := range out.packages {
			for _, test := range slices.Sorted(maps.Keys(p.Text)) {
				fmt.Fprintf(&b, "\n=== %s: %s of %s, console log: %s\n%s\n", out.name(), test, p.Name, out.log, p.Text[test])
			}
		}
		if out.err != nil {
			errs = append(errs, fmt.Errorf("kernel %s: %w", out.name(), out.err))
		}
	}
	b.WriteString("\n| kernel | program | hooks | passed | failed | skipped |\n|---|---|---|--:|--:|--:|\n")
	for i := range outcomes {
		out := &outcomes[i]
		rows := out.rows()
		if len(rows) == 0 {
			fmt.Fprintf(&b, "| %s | | | | | |\n", out.name())
		}
		for _, r := range rows {
			fmt.Fprintf(&b, "| %s | %s | %s | %d | %d | %d |\n", out.name(), r.program, strings.Join(r.hooks, ", "), r.passed, r.failed, r.skipped)
			total.add(r)
		}
	}
	for i := range outcomes {
		for _, p := range outcomes[i].packages {
			for _, t := range p.Tests {
				if outcomes[i].hides(t) {
					errs = append(errs, fmt.Errorf("%s skips %s, although it has what the test needs", outcomes[i].name(), t.Name))
				} else if t.Status == results.Skipped {
					fmt.Fprintf(&b, "\n%s lacks what %s needs", outcomes[i].name(), t.Name)
				}
			}
		}
	}
	for i := range outcomes {
		b.WriteString(outcomes[i].repeated())
	}
	if total.failed > 0 {
		errs = append(errs, fmt.Errorf("%d tests failed", total.failed))
	}
	fmt.Fprintf(&b, "\n\n%d passed, %d failed, %d skipped\n", total.passed, max(total.failed, len(errs)), total.skipped)
	return b.String(), errors.Join(errs...)
}
