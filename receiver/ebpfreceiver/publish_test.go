// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

import (
	"bytes"
	"encoding/json"
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

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/programs/cgroup"
)

var write = flag.Bool("write", false, "write the files and tables that are generated from the Definitions and from metadata.yaml")

const (
	schemaFile   = "config.schema.json"
	programsFile = "../../test/support/programs/programs.json"
	problemsFile = "../../exporter/eventstoreexporter/internal/problems/generated_kinds.go"
	alertsFile   = "../../deploy/prometheus/alerts.yaml"
)

// pages are patterns of the files with generated sections. Marks surround each section.
var pages = []string{"../../docs/*.md", "../../examples/*.yaml"}

// The committed files are those generated from the Definitions and from metadata.yaml. `make generate` writes them with this
// test.
func TestPublished(t *testing.T) {
	for _, file := range []struct{ path, text string }{
		{schemaFile, encode(t, configSchema(t))},
		{programsFile, encode(t, published())},
		{problemsFile, kindsOfProblems(t)},
		{alertsFile, allAlerts(t)},
	} {
		publish(t, file.path, file.text)
	}
	for _, section := range []struct{ name, begin, end, text string }{
		{"histograms", "<!-- begin: %s -->\n", "<!-- end: %s -->", histogramsTable()},
		{"settings", "<!-- begin: %s -->\n", "<!-- end: %s -->", settingsTable(t)},
		{"capabilities", "<!-- begin: %s -->\n", "<!-- end: %s -->", privilegesTable()},
		{"every program", "      # begin: %s\n", "      # end: %s", everyProgram()},
	} {
		publishSection(t, fmt.Sprintf(section.begin, section.name), fmt.Sprintf(section.end, section.name), section.text)
	}
}

// publish compares a file with its expected content, or writes it.
func publish(t *testing.T, path, want string) {
	t.Helper()
	if *write {
		require.NoError(t, os.WriteFile(path, []byte(want), 0o644))
		return
	}
	have, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, want, string(have), "%s is out of date; run: make generate", path)
}

// publishSection is publish for the part of a page between two marks.
func publishSection(t *testing.T, begin, end, want string) {
	t.Helper()
	found := false
	for _, pattern := range pages {
		paths, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, path := range paths {
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			before, rest, begins := strings.Cut(string(text), begin)
			if !begins {
				continue
			}
			_, after, ends := strings.Cut(rest, end)
			require.True(t, ends, "%s has no line %s", path, end)
			found = true
			publish(t, path, before+begin+want+end+after)
		}
	}
	assert.True(t, found, "none of %v has the line %s", pages, begin)
}

func encode(t *testing.T, value any) string {
	t.Helper()
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	require.NoError(t, encoder.Encode(value))
	return b.String()
}

// publishedProgram is a program in programs.json, for tests and tools that cannot import its Definition.
type publishedProgram struct {
	Name    string `json:"name"`
	Purpose string `json:"purpose"`
	// Defaults says that the program runs with default settings.
	Defaults bool `json:"defaults"`
	// Example is a YAML block with which the program attaches all of its hooks.
	Example string `json:"example"`
	// Containers says that its metrics are grouped by container.
	Containers bool                  `json:"containers"`
	Privileges []publishedPrivileges `json:"privileges"`
}

// publishedPrivileges are the capabilities of one way to run a program.
type publishedPrivileges struct {
	With     string            `json:"with,omitempty"`
	Settings string            `json:"settings"`
	Needed   []string          `json:"needed"`
	Serves   map[string]string `json:"serves,omitempty"`
}

func published() (all []publishedProgram) {
	for _, d := range programs {
		p := publishedProgram{
			Name: d.Name, Purpose: d.Purpose, Example: exampleOf(d),
			Defaults:   d.DefaultConfig().Validate() == nil,
			Containers: slices.Contains(d.Needs, &cgroup.Definition),
		}
		privileges := d.Privileges
		if len(privileges) == 0 {
			privileges = []program.Privileges{{}}
		}
		for _, way := range privileges {
			one := publishedPrivileges{With: way.With, Settings: way.Settings}
			if one.Settings == "" {
				one.Settings = "{}"
			}
			for _, c := range append(slices.Clone(program.AlwaysNeeded), way.Needed...) {
				one.Needed = append(one.Needed, c.String())
			}
			for c, attribute := range way.Serves {
				if one.Serves == nil {
					one.Serves = map[string]string{}
				}
				one.Serves[c.String()] = attribute
			}
			p.Privileges = append(p.Privileges, one)
		}
		all = append(all, p)
	}
	return all
}

// uses reports whether the program uses a capability in any way to run it.
func (p publishedProgram) uses(capability string) bool {
	return slices.ContainsFunc(p.Privileges, func(way publishedPrivileges) bool {
		return slices.Contains(way.Needed, capability) || slices.Contains(slices.Collect(maps.Keys(way.Serves)), capability)
	})
}

func exampleOf(d program.Definition) string {
	if d.Example == "" {
		return "{}"
	}
	return d.Example
}

// everyProgram returns a `programs` block with all programs in their cheapest form: default settings, or the example if the
// defaults do not suffice. Programs without an event limit get one.
func everyProgram() string {
	var b strings.Builder
	for _, d := range programs {
		config := d.DefaultConfig()
		switch {
		case config.Validate() != nil:
			fmt.Fprintf(&b, "      %s: %s\n", d.Name, exampleOf(d))
		case config.Common().EventLimit == nil:
			fmt.Fprintf(&b, "      %s: {event_limit: 1000}\n", d.Name)
		default:
			fmt.Fprintf(&b, "      %s: {}\n", d.Name)
		}
	}
	return b.String()
}
