// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// children is what a process that a test makes of this executable does instead of running tests, by childEnv.
var children = map[string]func(){}

const childEnv = "OTELCOL_EBPF_TEST_CHILD"

func TestMain(m *testing.M) {
	if child := children[os.Getenv(childEnv)]; child != nil {
		child()
		return
	}
	goleak.VerifyTestMain(m)
}
