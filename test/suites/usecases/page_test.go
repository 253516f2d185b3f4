// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package usecases

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
)

// useCase is a section of the page.
type useCase struct {
	title string
	// config is the section's addition to examples/queries.yaml. promql, logsql and jq are its queries; jq is a shell
	// command.
	config, promql, logsql, jq string
}

// readPage returns the sections of docs/use-cases.md that have a configuration.
func readPage(t *testing.T) (cases []useCase) {
	t.Helper()
	text, err := os.ReadFile(testenv.Repository(t, "docs/use-cases.md"))
	require.NoError(t, err)
	for _, section := range strings.Split(string(text), "\n## ")[1:] {
		title, body, _ := strings.Cut(section, "\n")
		c := useCase{title: title}
		for _, block := range []struct {
			language string
			into     *string
		}{{"yaml", &c.config}, {"promql", &c.promql}, {"logsql", &c.logsql}, {"sh", &c.jq}} {
			_, rest, found := strings.Cut(body, "```"+block.language+"\n")
			require.True(t, found, "section %q has no %s block", title, block.language)
			code, rest, closed := strings.Cut(rest, "\n```")
			require.True(t, closed, "section %q has a %s block without an end", title, block.language)
			require.NotContains(t, rest, "```"+block.language+"\n", "section %q has a second %s block, which no test runs", title, block.language)
			*block.into = code
		}
		cases = append(cases, c)
	}
	return cases
}

// Every use case of the page has a scenario, and every scenario is on the page.
func TestPageIsTested(t *testing.T) {
	var written, tested []string
	for _, c := range readPage(t) {
		written = append(written, c.title)
	}
	for _, s := range scenarios {
		tested = append(tested, s.title)
	}
	assert.Equal(t, written, tested)
}
