// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/programs"
)

// kernelsFile has the table of kernels. The path is relative to the root of the module, the working directory of this
// command.
const kernelsFile = "docs/kernels.md"

// claims returns the kernel lines that the table on a page lists as tested.
func claims(page string) (claimed []line, err error) {
	_, table, begins := strings.Cut(page, "<!-- begin: kernels -->\n")
	table, _, ends := strings.Cut(table, "<!-- end: kernels -->")
	if !begins || !ends {
		return nil, errors.New("there is no table of kernels")
	}
	var architectures []string
	for text := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(text), "|"), "|")
		if len(cells) < 4 {
			return nil, fmt.Errorf("the table of kernels has a malformed line %q", text)
		}
		series := strings.TrimSpace(cells[0])
		for i, cell := range cells[1:3] {
			switch cell := strings.TrimSpace(cell); {
			case series == "Linux":
				architectures = append(architectures, cell)
			case cell == "tested":
				claimed = append(claimed, line{series, architectures[i]})
			}
		}
	}
	return claimed, nil
}

// checkClaims compares docs/kernels.md with the results of all tests on all kernels. On each kernel listed as tested, each
// program must be attached and must have passed tests.
func checkClaims(outcomes []outcome) error {
	text, err := os.ReadFile(kernelsFile)
	if err != nil {
		return err
	}
	claimed, err := claims(string(text))
	if err != nil {
		return fmt.Errorf("%s: %w", kernelsFile, err)
	}
	var names []string
	for _, p := range programs.All() {
		names = append(names, p.Name)
	}
	return compare(claimed, outcomes, names)
}

func compare(claimed []line, outcomes []outcome, names []string) error {
	var errs []error
	shown := map[line][]row{}
	for i := range outcomes {
		out := &outcomes[i]
		shown[out.line] = out.rows()
		if !slices.Contains(claimed, out.line) {
			errs = append(errs, fmt.Errorf("%s does not say that Linux %s is tested", kernelsFile, out.line))
		}
	}
	for _, l := range claimed {
		for _, name := range names {
			i := slices.IndexFunc(shown[l], func(r row) bool { return r.program == name })
			switch {
			case i < 0 || shown[l][i].passed == 0:
				errs = append(errs, fmt.Errorf("%s says that Linux %s is tested, but no test of program %s has passed", kernelsFile, l, name))
			case len(shown[l][i].hooks) == 0:
				errs = append(errs, fmt.Errorf("%s says that Linux %s is tested, but program %s is attached nowhere", kernelsFile, l, name))
			}
		}
	}
	return errors.Join(errs...)
}
