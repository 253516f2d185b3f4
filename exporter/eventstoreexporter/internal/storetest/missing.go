// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"os"
	"testing"
)

// Missing skips a test because this environment lacks something. With OTELCOL_EBPF_REQUIRE_KERNEL=1, as in CI, it fails the test.
func Missing(tb testing.TB, reason string) {
	tb.Helper()
	if os.Getenv("OTELCOL_EBPF_REQUIRE_KERNEL") == "1" {
		tb.Fatal("this test must run here: " + reason)
	}
	tb.Skip(reason)
}
