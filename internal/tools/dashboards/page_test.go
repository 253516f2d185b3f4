// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const committed = "../../../deploy/grafana"

// shown has the parts of a panel that the tests read.
type shown struct {
	ID                       int
	Type, Title, Description string
	GridPos                  struct{ X, Y, W, H int }
	FieldConfig              struct{ Defaults struct{ Unit string } }
	Targets                  []struct{ Expr, LegendFormat, Format, RefID string }
}

func readShown(t *testing.T, path string) []shown {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var read struct{ Panels []shown }
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	return read.Panels
}

func mustMakePages(t *testing.T) map[string]*page {
	t.Helper()
	all, err := pages()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// The committed files are those that are generated, and no others.
func TestCommitted(t *testing.T) {
	folder := t.TempDir()
	if err := write(folder); err != nil {
		t.Fatal(err)
	}
	all := mustMakePages(t)
	for name := range all {
		want, errWant := os.ReadFile(filepath.Join(folder, name+".json"))
		have, errHave := os.ReadFile(filepath.Join(committed, name+".json"))
		if errWant != nil || errHave != nil || !bytes.Equal(want, have) {
			t.Errorf("%s.json is not what is generated: run `make generate`", name)
		}
	}
	files, err := filepath.Glob(filepath.Join(committed, "*.json"))
	if err != nil || len(files) != len(all) {
		t.Errorf("%d dashboards in %v: %v", len(all), files, err)
	}
}

func TestPanels(t *testing.T) {
	for name := range mustMakePages(t) {
		t.Run(name, func(t *testing.T) {
			panels := readShown(t, filepath.Join(committed, name+".json"))
			if len(panels) < 10 {
				t.Errorf("%d panels", len(panels))
			}
			ids := map[int]bool{}
			taken := map[[2]int]string{}
			for _, p := range panels {
				if p.ID == 0 || ids[p.ID] {
					t.Errorf("%s: the id %d is taken", p.Title, p.ID)
				}
				ids[p.ID] = true
				p.checkPlace(t, taken)
				if p.Type != "row" {
					p.check(t)
				}
			}
		})
	}
}

func (p shown) checkPlace(t *testing.T, taken map[[2]int]string) {
	t.Helper()
	at := p.GridPos
	if at.W < 4 || at.H < 1 || at.X < 0 || at.X+at.W > gridWidth {
		t.Errorf("%s: the place %+v", p.Title, at)
	}
	for x := at.X; x < at.X+at.W; x++ {
		for y := at.Y; y < at.Y+at.H; y++ {
			if other, ok := taken[[2]int{x, y}]; ok {
				t.Fatalf("%s lies over %s", p.Title, other)
			}
			taken[[2]int{x, y}] = p.Title
		}
	}
}

// check looks for what Grafana would show without an error: panels without data, unit or help, and unreadable legends.
func (p shown) check(t *testing.T) {
	t.Helper()
	if p.Title == "" || p.FieldConfig.Defaults.Unit == "" || len(p.Description) < 20 {
		t.Errorf("%q: the unit %q, the description %q", p.Title, p.FieldConfig.Defaults.Unit, p.Description)
	}
	if len(p.Targets) == 0 {
		t.Errorf("%s has no query", p.Title)
	}
	references := map[string]bool{}
	for _, target := range p.Targets {
		if strings.TrimSpace(target.Expr) == "" || references[target.RefID] {
			t.Errorf("%s: the query %q", p.Title, target.Expr)
		}
		references[target.RefID] = true
		if !strings.Contains(target.Expr, onHosts) {
			t.Errorf("%s: the query is for all hosts: %s", p.Title, target.Expr)
		}
		if target.LegendFormat == "" && target.Format != "table" {
			t.Errorf("%s has no legend", p.Title)
		}
		// What the legend names has to be what the series are added up by.
		for _, part := range strings.Split(target.LegendFormat, "{{")[1:] {
			label, _, _ := strings.Cut(part, "}}")
			if !strings.Contains(strings.ReplaceAll(target.Expr, onHosts, ""), label) {
				t.Errorf("%s: the legend has %s, and the query has not: %s", p.Title, label, target.Expr)
			}
		}
	}
}
