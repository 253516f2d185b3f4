// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Command histogramgen generates what mdatagen cannot: the descriptions and switches of histogram metrics. It reads
// histograms.yaml in the folder of each program, and runs in the folder of the receiver.
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
	generated = "internal/metadata/generated_histograms.go"
)

// histogram is an entry of histograms.yaml.
type histogram struct {
	Name        string   `mapstructure:"-"`
	Description string   `mapstructure:"description"`
	Unit        string   `mapstructure:"unit"`
	Attributes  []string `mapstructure:"attributes"`
}

//go:embed histograms.go.tmpl
var text string

func main() {
	code, err := generate(".")
	if err == nil {
		err = os.WriteFile(generated, code, 0o600)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "histogramgen:", err)
		os.Exit(1)
	}
}

// generate returns the code for the histograms of the receiver in a folder.
func generate(receiver string) ([]byte, error) {
	files, err := filepath.Glob(filepath.Join(receiver, sources))
	if err != nil {
		return nil, err
	}
	var all []histogram
	for _, file := range files {
		some, err := read(file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, some...)
	}
	slices.SortFunc(all, func(a, b histogram) int { return strings.Compare(a.Name, b.Name) })
	for i := 1; i < len(all); i++ {
		if all[i].Name == all[i-1].Name {
			return nil, fmt.Errorf("there are two histograms %s", all[i].Name)
		}
	}
	var code bytes.Buffer
	if err := template.Must(template.New("").Parse(text)).Execute(&code, all); err != nil {
		return nil, err
	}
	return format.Source(code.Bytes())
}

func read(file string) (all []histogram, err error) {
	yaml, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	retrieved, err := confmap.NewRetrievedFromYAML(yaml)
	if err != nil {
		return nil, err
	}
	conf, err := retrieved.AsConf()
	if err != nil {
		return nil, err
	}
	byName := map[string]histogram{}
	if err := conf.Unmarshal(&byName); err != nil {
		return nil, err
	}
	for name, h := range byName {
		h.Name = name
		all = append(all, h)
	}
	return all, nil
}

// initialisms are the words that mdatagen writes in capitals.
var initialisms = []string{"cpu", "dns", "http", "id", "ip", "tcp", "tls", "ttl", "udp", "uid", "uri", "url", "uuid"}

// Identifier returns the name as mdatagen writes it in Go.
func (h histogram) Identifier() string {
	var b strings.Builder
	for word := range strings.FieldsFuncSeq(h.Name, func(r rune) bool { return r == '.' || r == '_' }) {
		if slices.Contains(initialisms, word) {
			b.WriteString(strings.ToUpper(word))
		} else {
			b.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
	}
	return b.String()
}
