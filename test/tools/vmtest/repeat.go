// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
)

// maxRepeated is how many failed tests of a kernel are repeated. Software emulation stops a processor for as long as the other
// one, or another machine, has work, at which some tests' patience ends; more than a few such tests are no accident.
const maxRepeated = 3

// repeatable chooses the tests that failed, "" if none did, or if it is not by accident.
func (out *outcome) repeatable() string {
	var all []string
	for _, p := range out.packages {
		names, ok := p.Failures()
		if !ok {
			return ""
		}
		all = append(all, names...)
	}
	if len(all) == 0 || len(all) > maxRepeated {
		return ""
	}
	return "^(" + strings.Join(all, "|") + ")$"
}

// repeat takes what came of a second run of the tests that failed. Its packages are the same, in the same order.
func (out *outcome) repeat(second *outcome) {
	for i, p := range out.packages {
		p.Repeat(second.packages[i])
	}
	out.total += second.total
}

// repeated says which tests passed only when they were repeated.
func (out *outcome) repeated() string {
	var b strings.Builder
	for _, p := range out.packages {
		for _, name := range p.Repeated {
			fmt.Fprintf(&b, "\n%s: %s failed once, and passed when it was repeated", out.name(), name)
		}
	}
	return b.String()
}
