// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"

	"go.yaml.in/yaml/v3"
)

const (
	// programsFile lists the programs in the order of their panels.
	programsFile = "../../../test/support/programs/programs.json"
	panelFiles   = "../../../receiver/ebpfreceiver/internal/programs/*/dashboard.yaml"
)

// entry is a panel in the file dashboard.yaml of a program. It has either Number, with Query, or Lines, with Series or Quantiles.
type entry struct {
	// Dashboard and Row say where it stands.
	Dashboard, Row string
	// Number and Lines are the title.
	Number, Lines string
	// Unit is one of Grafana's. Help says what the panel shows, and what to do if it looks bad.
	Unit, Help string
	// Query is a template in PromQL with the functions of query.go.
	Query string
	// Warn and Bad are the values from which on a number is yellow and red. Without, it has no colour.
	Warn, Bad float64
	Series    []struct{ Query, Legend string }
	// Quantiles is a histogram whose quantiles are the series.
	Quantiles string
}

// programPanels is the file dashboard.yaml of a program.
type programPanels struct {
	Program string
	Panels  []entry
}

// addPanels adds the panels of the programs to the rows.
func addPanels(all map[string]*page) error {
	programs, err := readPanels()
	if err != nil {
		return err
	}
	for _, program := range programs {
		shown := map[*page]bool{}
		for _, e := range program.Panels {
			p, ok := all[e.Dashboard]
			if !ok {
				return fmt.Errorf("program %s: there is no dashboard %q", program.Program, e.Dashboard)
			}
			i := slices.IndexFunc(p.rows, func(r row) bool { return r.title == e.Row })
			if i < 0 {
				return fmt.Errorf("program %s: the dashboard %q has no row %q", program.Program, e.Dashboard, e.Row)
			}
			made, err := e.build()
			if err != nil {
				return fmt.Errorf("program %s: %s%s: %w", program.Program, e.Number, e.Lines, err)
			}
			p.rows[i].panels = append(p.rows[i].panels, made)
			if !shown[p] {
				shown[p] = true
				p.programs = append(p.programs, program.Program)
			}
		}
	}
	return nil
}

// readPanels returns the panels of all programs that have some, in the order of the programs.
func readPanels() ([]programPanels, error) {
	text, err := os.ReadFile(programsFile)
	if err != nil {
		return nil, err
	}
	var programs []struct{ Name string }
	if err := json.Unmarshal(text, &programs); err != nil {
		return nil, fmt.Errorf("%s: %w", programsFile, err)
	}
	place := map[string]int{}
	for i, p := range programs {
		place[p.Name] = i
	}
	files, err := filepath.Glob(panelFiles)
	if err != nil {
		return nil, err
	}
	var all []programPanels
	for _, file := range files {
		var p programPanels
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		decoder := yaml.NewDecoder(bytes.NewReader(text))
		decoder.KnownFields(true)
		if err := decoder.Decode(&p); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if _, ok := place[p.Program]; !ok {
			return nil, fmt.Errorf("%s: there is no program %q", file, p.Program)
		}
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b programPanels) int { return place[a.Program] - place[b.Program] })
	return all, nil
}

// build returns the panel.
func (e *entry) build() (panel, error) {
	if e.Number != "" {
		query, err := expand(e.Query)
		return number{title: e.Number, unit: e.Unit, help: e.Help, query: query, warn: e.Warn, bad: e.Bad}, err
	}
	l := lines{title: e.Lines, unit: e.Unit, help: e.Help}
	if e.Quantiles != "" {
		l.of = quantiles(e.Quantiles)
	}
	for _, s := range e.Series {
		query, err := expand(s.Query)
		if err != nil {
			return nil, err
		}
		l.of = append(l.of, series{query, s.Legend})
	}
	return l, nil
}

// expand returns the query of a template.
func expand(query string) (string, error) {
	t, err := template.New("query").Option("missingkey=error").
		Funcs(template.FuncMap{
			"by": by, "most": most, "of": of, "orZero": orZero, "quantile": quantile, "rate": rate, "whose": whose,
		}).
		Parse(query)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	err = t.Execute(&b, nil)
	return b.String(), err
}
