// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
)

var update = flag.Bool("update", false, "rewrite the tables of README.md")

const readme = "../../README.md"

// declarations are those of metadata.yaml that users see.
type declarations struct {
	ResourceAttributes map[string]declaredAttribute `mapstructure:"resource_attributes"`
	Attributes         map[string]declaredAttribute `mapstructure:"attributes"`
	Events             map[string]declaredSignal    `mapstructure:"events"`
	Metrics            map[string]declaredSignal    `mapstructure:"metrics"`
}

type declaredAttribute struct {
	Description string   `mapstructure:"description"`
	Type        string   `mapstructure:"type"`
	Enum        []string `mapstructure:"enum"`
}

type declaredSignal struct {
	Description string   `mapstructure:"description"`
	Unit        string   `mapstructure:"unit"`
	Attributes  []string `mapstructure:"attributes"`
	Sum         *struct {
		Monotonic bool `mapstructure:"monotonic"`
	} `mapstructure:"sum"`
}

// The tables of README.md say what metadata.yaml and the configuration's defaults say.
func TestReadmeTables(t *testing.T) {
	declared := readDeclarations(t)
	content, err := os.ReadFile(readme)
	require.NoError(t, err)
	text := string(content)
	for _, section := range []struct {
		name  string
		table string
	}{
		{"events", eventsTable(declared)},
		{"attributes", attributesTable(declared)},
		{"metrics", metricsTable(declared)},
		{"settings", settingsTable(t)},
	} {
		begin := fmt.Sprintf("<!-- begin: %s -->\n", section.name)
		end := fmt.Sprintf("<!-- end: %s -->", section.name)
		before, rest, ok := strings.Cut(text, begin)
		require.True(t, ok, "%s has no line %s", readme, begin)
		have, after, ok := strings.Cut(rest, end)
		require.True(t, ok, "%s has no line %s", readme, end)
		if *update {
			text = before + begin + section.table + end + after
			continue
		}
		assert.Equal(t, section.table, have,
			"the table of %s is out of date; run: go test ./receiver/ebpfreceiver -run TestReadmeTables -update", section.name)
	}
	if *update {
		require.NoError(t, os.WriteFile(readme, []byte(text), 0o644))
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

func readDeclarations(t *testing.T) *declarations {
	t.Helper()
	conf, err := confmaptest.LoadConf("metadata.yaml")
	require.NoError(t, err)
	declared := &declarations{}
	require.NoError(t, conf.Unmarshal(declared, confmap.WithIgnoreUnused()))
	return declared
}

func eventsTable(declared *declarations) string {
	rows := [][]string{{"Event", "Meaning", "Attributes"}}
	for _, name := range slices.Sorted(maps.Keys(declared.Events)) {
		event := declared.Events[name]
		rows = append(rows, []string{code(name), event.Description, codes(event.Attributes)})
	}
	return table(rows)
}

func attributesTable(declared *declarations) string {
	on := make(map[string][]string)
	note := func(signal string, attributes []string) {
		for _, attribute := range attributes {
			if !slices.Contains(on[attribute], signal) {
				on[attribute] = append(on[attribute], signal)
			}
		}
	}
	for _, event := range declared.Events {
		note("events", event.Attributes)
	}
	for _, metric := range metricRows(declared) {
		note("metrics", metric.attributes)
	}
	all := maps.Clone(declared.ResourceAttributes)
	for name := range all {
		note("resources", []string{name})
	}
	for name, attribute := range declared.Attributes {
		if on[name] != nil { // the others are those of the collector's own telemetry
			all[name] = attribute
		}
	}
	rows := [][]string{{"Attribute", "Type", "On", "Meaning"}}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		attribute := all[name]
		meaning := attribute.Description
		if len(attribute.Enum) > 0 {
			meaning += " One of " + codes(attribute.Enum) + "."
		}
		rows = append(rows, []string{code(name), attribute.Type, strings.Join(on[name], ", "), meaning})
	}
	return table(rows)
}

type metricRow struct {
	name, unit, kind, description string
	attributes                    []string
}

// metricRows returns the metrics of metadata.yaml and the histograms, by name.
func metricRows(declared *declarations) []metricRow {
	var all []metricRow
	for name, metric := range declared.Metrics {
		kind := "gauge"
		switch {
		case metric.Sum != nil && metric.Sum.Monotonic:
			kind = "counter"
		case metric.Sum != nil:
			kind = "up-down counter"
		}
		all = append(all, metricRow{name, metric.Unit, kind, metric.Description, metric.Attributes})
	}
	for _, h := range metadata.Histograms() {
		all = append(all, metricRow{h.Name, h.Unit, "histogram", h.Description, h.Attributes})
	}
	slices.SortFunc(all, func(a, b metricRow) int { return cmp.Compare(a.name, b.name) })
	return all
}

func metricsTable(declared *declarations) string {
	rows := [][]string{{"Metric", "Unit", "Type", "Meaning", "Attributes"}}
	for _, metric := range metricRows(declared) {
		rows = append(rows, []string{code(metric.name), code(metric.unit), metric.kind, metric.description, codes(metric.attributes)})
	}
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
