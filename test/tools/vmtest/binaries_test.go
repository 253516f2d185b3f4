// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/programs"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
)

func TestSelected(t *testing.T) {
	p := testPackage{
		everywhere: []string{"Each", "Way"}, oldest: []string{"Old"}, newest: []string{"New"},
		once: []string{"Masses"}, skip: []string{".*/mapped", "Reload", "TestA/^(b|c)$"},
	}
	assert.Equal(t, "Each|Way|Old", p.selected(supported[0]))
	assert.Equal(t, "Each|Way|New", p.selected(newest))
	assert.Equal(t, "Each|Way", p.selected(line{"6.1", "amd64"}))
	assert.Equal(t, "Reload|.*/mapped|TestA/^(b|c)$", p.skipped(line{"6.1", "amd64"}))
	assert.Equal(t, "Reload|Masses|.*/mapped|TestA/^(b|c)$", p.skipped(line{"6.1", "arm64"}))
	assert.Equal(t, ".*/mapped", p.skip[0], "the lists must not be changed")

	p.everywhere = nil
	assert.Empty(t, p.selected(newest))
	assert.Equal(t, "Reload|Old|.*/mapped|TestA/^(b|c)$", p.skipped(newest))
	assert.Equal(t, "Reload|New|.*/mapped|TestA/^(b|c)$", p.skipped(supported[0]))
	assert.Equal(t, "Reload|Masses|Old|New|.*/mapped|TestA/^(b|c)$", p.skipped(line{"6.12", "arm64"}))
	assert.Contains(t, supported, newest)
}

// testsOf returns the names of a package's tests.
func testsOf(t *testing.T, p *testPackage) (names []string) {
	t.Helper()
	declaration := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	files, err := filepath.Glob(filepath.Join(testenv.Repository(t, p.path), "*_test.go"))
	require.NoError(t, err)
	for _, file := range files {
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, match := range declaration.FindAllSubmatch(source, -1) {
			names = append(names, string(match[1]))
		}
	}
	return names
}

// Each pattern, and each test that may skip, names a test that exists: otherwise a renamed test would not be skipped.
func TestPatternsMatchTests(t *testing.T) {
	var all []string
	for _, p := range packages {
		names := testsOf(t, &p)
		all = append(all, names...)
		for _, pattern := range slices.Concat(p.everywhere, p.skip, p.once, p.oldest, p.newest) {
			top, _, _ := strings.Cut(pattern, "/")
			assert.True(t, slices.ContainsFunc(names, regexp.MustCompile(top).MatchString), "no test of %s matches %s", p.path, pattern)
		}
	}
	for name := range maySkip {
		assert.Contains(t, all, name)
	}
}

// A program that is tested on one kernel is tested on each, as docs/kernels.md says. checkClaims finds a gap only after the kernels have
// run for half an hour.
func TestEachKernelTestsEachProgram(t *testing.T) {
	suite := &packages[0]
	names := testsOf(t, suite)
	tested := map[line][]string{}
	for _, l := range supported {
		selected := regexp.MustCompile(suite.selected(l))
		for _, name := range names {
			skipped := slices.ContainsFunc(strings.Split(suite.skipped(l), "|"), func(pattern string) bool {
				return !strings.Contains(pattern, "/") && regexp.MustCompile(pattern).MatchString(name)
			})
			if selected.MatchString(name) && !skipped {
				tested[l] = append(tested[l], programOf(name))
			}
		}
	}
	for _, p := range programs.All() {
		somewhere := slices.ContainsFunc(supported, func(l line) bool { return slices.Contains(tested[l], p.Name) })
		for _, l := range supported {
			assert.Equal(t, somewhere, slices.Contains(tested[l], p.Name), "whether tests of %s run on Linux %s", p.Name, l)
		}
	}
}
