// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
)

var update = flag.Bool("update", false, "rewrite the tables below docs/")

// The generated tables below docs/ are in step with the configuration's defaults and with the histograms.
func TestDocsTables(t *testing.T) {
	for _, section := range []struct{ file, name, table string }{
		{"settings.md", "settings", settingsTable(t)},
		{"events-and-metrics.md", "histograms", histogramsTable()},
	} {
		path := filepath.Join("..", "..", "docs", section.file)
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		begin := fmt.Sprintf("<!-- begin: %s -->\n", section.name)
		end := fmt.Sprintf("<!-- end: %s -->", section.name)
		before, rest, ok := strings.Cut(string(content), begin)
		require.True(t, ok, "%s has no line %s", path, begin)
		have, after, ok := strings.Cut(rest, end)
		require.True(t, ok, "%s has no line %s", path, end)
		if *update {
			require.NoError(t, os.WriteFile(path, []byte(before+begin+section.table+end+after), 0o644))
			continue
		}
		assert.Equal(t, section.table, have,
			"the table of %s is out of date; run: go test ./receiver/ebpfreceiver -run TestDocsTables -update", section.name)
	}
}

// Every setting has a meaning in the table, and the table has no setting that doesn't exist.
func TestSettingsAreDocumented(t *testing.T) {
	var keys []string
	for _, d := range settingDefaults(t) {
		keys = append(keys, d.key)
	}
	assert.ElementsMatch(t, slices.Collect(maps.Keys(settings)), keys)
}

// mdatagen's page can't list the histograms; it must mention them.
func TestDocumentationMentionsHistograms(t *testing.T) {
	page, err := os.ReadFile("documentation.md")
	require.NoError(t, err)
	for _, histogram := range metadata.Histograms() {
		assert.Contains(t, string(page), code(histogram.Name))
	}
}

// histogramsTable lists the histograms, for which mdatagen's page has no section.
func histogramsTable() string {
	rows := [][]string{{"Metric", "Unit", "Meaning", "Attributes"}}
	for _, h := range metadata.Histograms() {
		rows = append(rows, []string{code(h.Name), code(h.Unit), h.Description, codes(h.Attributes)})
	}
	slices.SortFunc(rows[1:], func(a, b []string) int { return cmp.Compare(a[0], b[0]) })
	return table(rows)
}

func settingsTable(t *testing.T) string {
	t.Helper()
	rows := [][]string{{"Key", "Default", "Unit", "Meaning"}}
	for _, d := range settingDefaults(t) {
		rows = append(rows, []string{code(d.key), d.value, settings[d.key].unit, settings[d.key].meaning})
	}
	return table(rows)
}

func codes(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = code(name)
	}
	return strings.Join(quoted, ", ")
}

// table returns a Markdown table whose first row is the heading.
func table(rows [][]string) string {
	var b strings.Builder
	for i, row := range rows {
		for j, cell := range row {
			row[j] = strings.ReplaceAll(cell, "|", `\|`)
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
		if i == 0 {
			b.WriteString(strings.Repeat("|---", len(row)) + "|\n")
		}
	}
	return b.String()
}
