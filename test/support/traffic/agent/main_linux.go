// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Command agent is the program that agents of tests run, if they need nothing of the test binary. Package traffic starts it.
package main

import (
	"fmt"
	"os"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

func main() {
	traffic.Main()
	fmt.Fprintln(os.Stderr, "agent: it does nothing but what a test asks it to do")
	os.Exit(2)
}
