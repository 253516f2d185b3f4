// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Command metricgen generates what mdatagen cannot: the descriptions of histogram metrics, and the configuration of all
// metrics with the attributes that each keeps. It reads metadata.yaml, and histograms.yaml in the folder of each program,
// and runs in the folder of the receiver.
//
// mdatagen's builders can leave attributes out as well, but not for this receiver: they compare each data point with all
// others, which takes seconds for the thousands that a host may have, they need a value for each attribute, and they let
// users replace sums by averages.
package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"go/format"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"

	"go.opentelemetry.io/collector/confmap"
)

const (
	sources   = "internal/programs/*/histograms.yaml"
	declared  = "metadata.yaml"
	generated = "internal/metadata/generated_allmetrics.go"
)

// metrics are what the code is generated from, each list in the order of names.
type metrics struct {
	// Sums are the metrics of metadata.yaml, which mdatagen has builders for; All are these and the histograms.
	Sums, Histograms, All []metric
}

// metric is an entry of histograms.yaml, or of the metrics in metadata.yaml.
type metric struct {
	Name        string   `mapstructure:"-"`
	Description string   `mapstructure:"description"`
	Unit        string   `mapstructure:"unit"`
	Attributes  []string `mapstructure:"attributes"`
}

//go:embed metrics.go.tmpl
var text string

func main() {
	code, err := generate(".")
	if err == nil {
		err = os.WriteFile(generated, code, 0o600)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "metricgen:", err)
		os.Exit(1)
	}
}

// generate returns the code for the metrics of the receiver in a folder.
func generate(receiver string) ([]byte, error) {
	files, err := filepath.Glob(filepath.Join(receiver, sources))
	if err != nil {
		return nil, err
	}
	var m metrics
	for _, file := range files {
		byName := map[string]metric{}
		if err := read(file, &byName); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		m.Histograms = append(m.Histograms, list(byName)...)
	}
	var sums struct {
		Metrics map[string]metric `mapstructure:"metrics"`
	}
	if err := read(filepath.Join(receiver, declared), &sums, confmap.WithIgnoreUnused()); err != nil {
		return nil, fmt.Errorf("%s: %w", declared, err)
	}
	m.Sums = list(sums.Metrics)
	m.All = slices.Concat(m.Sums, m.Histograms)
	for _, some := range [][]metric{m.Sums, m.Histograms, m.All} {
		slices.SortFunc(some, func(a, b metric) int { return strings.Compare(a.Name, b.Name) })
	}
	for i := 1; i < len(m.All); i++ {
		if m.All[i].Name == m.All[i-1].Name {
			return nil, fmt.Errorf("there are two metrics %s", m.All[i].Name)
		}
	}
	var code bytes.Buffer
	if err := template.Must(template.New("").Parse(text)).Execute(&code, m); err != nil {
		return nil, err
	}
	return format.Source(code.Bytes())
}

func list(byName map[string]metric) (all []metric) {
	for name, m := range byName {
		m.Name = name
		all = append(all, m)
	}
	return all
}

func read(file string, into any, options ...confmap.UnmarshalOption) error {
	yaml, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	retrieved, err := confmap.NewRetrievedFromYAML(yaml)
	if err != nil {
		return err
	}
	conf, err := retrieved.AsConf()
	if err != nil {
		return err
	}
	return conf.Unmarshal(into, options...)
}

// initialisms are the words that mdatagen writes in capitals.
var initialisms = []string{"cpu", "dns", "http", "id", "ip", "tcp", "tls", "ttl", "udp", "uid", "uri", "url", "uuid"}

// Identifier returns the name as mdatagen writes it in Go.
func (m metric) Identifier() string {
	var b strings.Builder
	for word := range strings.FieldsFuncSeq(m.Name, func(r rune) bool { return r == '.' || r == '_' }) {
		if slices.Contains(initialisms, word) {
			b.WriteString(strings.ToUpper(word))
		} else {
			b.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
	}
	return b.String()
}
