// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
)

// maxRepeated is how many failed tests of a kernel are repeated. Software emulation can stop a processor while the other one,
// or another machine, is busy, and then a few tests time out. More failures than this are not caused by timing.
const maxRepeated = 3

// repeatable returns a pattern of the tests that failed. It returns "" if none failed, or if the failures are not caused by
// timing.
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

// repeat merges the results of a second run of the failed tests. It has the same packages in the same order.
func (out *outcome) repeat(second *outcome) {
	for i, p := range out.packages {
		p.Repeat(second.packages[i])
	}
	out.total += second.total
}

// repeated lists the tests that passed only when they were repeated.
func (out *outcome) repeated() string {
	var b strings.Builder
	for _, p := range out.packages {
		for _, name := range p.Repeated {
			fmt.Fprintf(&b, "\n%s: %s failed once, and passed when it was repeated", out.name(), name)
		}
	}
	return b.String()
}
