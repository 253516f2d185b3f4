// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/tools/vmtest/internal/results"
)

func page(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../..", path))
	require.NoError(t, err)
	return string(text)
}

// The page lists exactly the kernels that this command runs.
func TestPageListsTheKernels(t *testing.T) {
	claimed, err := claims(page(t, kernelsFile))
	require.NoError(t, err)
	assert.ElementsMatch(t, supported, claimed)

	_, err = claims("nothing")
	assert.Error(t, err)
	_, err = claims("<!-- begin: kernels -->\n| Linux |\n<!-- end: kernels -->\n")
	assert.Error(t, err)
}

func TestCompare(t *testing.T) {
	old, recent := line{"5.10", "amd64"}, line{"7", "arm64"}
	shown := func(tests, hooks []string) outcome {
		p := results.NewPackage("./p")
		for _, test := range tests {
			p.Tests = append(p.Tests, results.Test{Name: test, Status: results.Passed})
		}
		for _, program := range hooks {
			p.Hooks = append(p.Hooks, results.Hook{Program: program, Name: "tp_btf/x"})
		}
		return outcome{line: old, packages: []*results.Package{p}}
	}
	tests, hooks := []string{"TestOOM", "TestTCPSegments"}, []string{"oom", "tcp"}
	compare := func(claimed []line, outcomes []outcome) error { return compare(claimed, outcomes, hooks) }

	good := shown(tests, hooks)
	other := good
	other.line = recent
	assert.NoError(t, compare([]line{old, recent}, []outcome{other, good}))
	assert.EqualError(t, compare([]line{old}, []outcome{other, good}), "docs/kernels.md does not say that Linux 7 arm64 is tested")
	const claim = "docs/kernels.md says that Linux 5.10 amd64 is tested, but "
	assert.EqualError(t, compare([]line{old}, []outcome{shown(tests[1:], hooks)}), claim+"no test of program oom has passed")
	assert.EqualError(t, compare([]line{old}, []outcome{shown(tests, hooks[:1])}), claim+"program tcp is attached nowhere")
	assert.ErrorContains(t, compare([]line{old, recent}, []outcome{other}), claim+"no test of program oom")

	failed := shown(tests, hooks)
	failed.packages[0].Tests[1].Status = results.Failed
	assert.EqualError(t, compare([]line{old}, []outcome{failed}), claim+"no test of program tcp has passed")
}
