// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Command dashboards generates the Grafana dashboards in deploy/grafana. It is a module of its own, so that no other one gets
// Grafana's types.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

//go:generate go run . ../../../deploy/grafana

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: dashboards FOLDER")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "dashboards:", err)
		os.Exit(1)
	}
}

func write(folder string) error {
	all, err := pages()
	if err != nil {
		return err
	}
	for name, p := range all {
		built, err := p.build("otelcol-ebpf-" + name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		text, err := json.MarshalIndent(built, "", "  ")
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := os.WriteFile(filepath.Join(folder, name+".json"), append(text, '\n'), 0o644); err != nil { //nolint:gosec // as git checks it out
			return err
		}
	}
	return nil
}
