// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
)

// mdatagen's page cannot list the histograms, so it must mention them.
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
		setting := settingOf(t, d.key)
		rows = append(rows, []string{code(d.key), d.value, unitOf(setting), setting.Meaning})
	}
	return table(rows)
}

// privilegesTable has a row for each way to run a program, and a column for each capability that any of them needs.
func privilegesTable() string {
	ways := published()
	var capabilities []string
	for _, c := range []kernel.Capability{
		kernel.CapBPF, kernel.CapPerfmon, kernel.CapNetAdmin, kernel.CapSyslog, kernel.CapDACReadSearch, kernel.CapSysPtrace,
	} {
		if slices.ContainsFunc(ways, func(p publishedProgram) bool { return p.uses(c.String()) }) {
			capabilities = append(capabilities, c.String())
		}
	}
	heading := []string{"Program"}
	for _, c := range capabilities {
		heading = append(heading, code(c))
	}
	rows := [][]string{heading}
	for _, p := range ways {
		for _, way := range p.Privileges {
			cells := []string{code(p.Name)}
			if way.With != "" {
				cells[0] += " with " + way.With
			}
			for _, c := range capabilities {
				switch {
				case slices.Contains(way.Needed, c):
					cells = append(cells, "needed")
				case way.Serves[c] != "":
					cells = append(cells, "for "+code(way.Serves[c]))
				default:
					cells = append(cells, "–")
				}
			}
			rows = append(rows, cells)
		}
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
