// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The README says tested of exactly the kernels that a run of this command fails for.
func TestReadmeListsTheKernels(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	_, table, found := strings.Cut(string(readme), "<!-- begin: kernels -->\n")
	require.True(t, found, "the README has no table of kernels")
	table, _, _ = strings.Cut(table, "<!-- end: kernels -->")

	var listed []line
	var architectures []string
	for text := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(text), "|"), "|")
		require.GreaterOrEqual(t, len(cells), 4, text)
		series := strings.TrimSpace(cells[0])
		for i, cell := range cells[1:3] {
			switch cell := strings.TrimSpace(cell); {
			case series == "Linux":
				architectures = append(architectures, cell)
			case cell == "tested":
				listed = append(listed, line{series, architectures[i]})
			}
		}
	}
	assert.ElementsMatch(t, supported, listed)
}
