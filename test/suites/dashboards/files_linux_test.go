// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package dashboards

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
)

const rulesFile = "deploy/prometheus/alerts.yaml"

// rule is an alert or a recorded expression.
type rule struct {
	Alert, Record, Expr string
	Annotations         map[string]string
}

func readRules(t *testing.T) (rules []rule) {
	t.Helper()
	var file struct{ Groups []struct{ Rules []rule } }
	require.NoError(t, yaml.Unmarshal([]byte(read(t, rulesFile)), &file))
	for _, g := range file.Groups {
		rules = append(rules, g.Rules...)
	}
	require.NotEmpty(t, rules)
	return rules
}

// panel is a query of a panel of a dashboard.
type panel struct{ dashboard, title, query, legend string }

func readPanels(t *testing.T) (panels []panel) {
	t.Helper()
	files, err := filepath.Glob(testenv.Repository(t, "deploy/grafana/*.json"))
	require.NoError(t, err)
	require.Len(t, files, 3)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var read struct {
			Panels []struct {
				Title   string
				Targets []struct{ Expr, LegendFormat string }
			}
		}
		require.NoError(t, json.Unmarshal(text, &read))
		for _, p := range read.Panels {
			for _, target := range p.Targets {
				panels = append(panels, panel{filepath.Base(file), p.Title, target.Expr, target.LegendFormat})
			}
		}
	}
	return panels
}

// runbooks returns the sections of docs/alerts.md by their titles.
func runbooks(t *testing.T) map[string]string {
	t.Helper()
	sections := map[string]string{}
	for _, section := range strings.Split(read(t, "docs/alerts.md"), "\n## ")[1:] {
		title, body, _ := strings.Cut(section, "\n")
		sections[title] = body
	}
	return sections
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(testenv.Repository(t, path))
	require.NoError(t, err)
	return string(text)
}
