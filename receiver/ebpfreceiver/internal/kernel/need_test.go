// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"os"
	"testing"
)

// need skips a test if this machine lacks something, and names it. With OTELCOL_EBPF_REQUIRE_KERNEL=1 it fails the test
// instead.
func need(tb testing.TB, met bool, lacking string) {
	tb.Helper()
	if met {
		return
	}
	if os.Getenv("OTELCOL_EBPF_REQUIRE_KERNEL") == "1" {
		tb.Fatalf("this test cannot run here: %s", lacking)
	}
	tb.Skip(lacking)
}

// noAllocations checks that f does not allocate.
func noAllocations(tb testing.TB, f func()) {
	tb.Helper()
	if n := testing.AllocsPerRun(100, f); n != 0 {
		tb.Errorf("%v allocations, want none", n)
	}
}
