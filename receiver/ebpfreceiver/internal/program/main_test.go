// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// children are the jobs of child processes, by the value of childEnv. A child runs this executable, but no tests.
var children = map[string]func(){}

const childEnv = "OTELCOL_EBPF_TEST_CHILD"

func TestMain(m *testing.M) {
	if child := children[os.Getenv(childEnv)]; child != nil {
		child()
		return
	}
	goleak.VerifyTestMain(m)
}
