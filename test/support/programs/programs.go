// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package programs has the list of the receiver's programs, for tests and tools that cannot import their Definitions. `make
// generate` writes programs.json from the Definitions.
package programs

import (
	_ "embed"
	"encoding/json"
	"strings"
)

// Program has facts from a program's Definition.
type Program struct {
	// Name is the program's key in the configuration.
	Name    string
	Purpose string
	// Defaults says that the program runs with default settings.
	Defaults bool
	// Example is a YAML block with which the program attaches all of its hooks.
	Example string
	// Containers says that its metrics are grouped by container.
	Containers bool
	// Privileges are the ways to run it that need different capabilities. The defaults come first.
	Privileges []Privileges
}

// Privileges are the capabilities of one way to run a program.
type Privileges struct {
	// With describes the settings in Markdown; "" for the defaults.
	With string
	// Settings are these settings as a YAML block.
	Settings string
	// Needed are the names of the capabilities without which the program does not start.
	Needed []string
	// Serves has optional capabilities, each with the attribute that events lack without it.
	Serves map[string]string
}

//go:embed programs.json
var list []byte

// All returns all programs, in the order in which they are started.
func All() []Program {
	var all []Program
	if err := json.Unmarshal(list, &all); err != nil {
		panic(err) // a generated file
	}
	return all
}

// ExampleOn returns the example for a single network interface instead of all.
func (p Program) ExampleOn(networkInterface string) string {
	return strings.ReplaceAll(p.Example, `"*"`, networkInterface)
}

// Examples returns a `programs` block in YAML in which every program attaches all of its hooks. Programs that attach to
// network interfaces use only this one.
func Examples(networkInterface string) string {
	var blocks []string
	for _, p := range All() {
		blocks = append(blocks, p.Name+": "+p.ExampleOn(networkInterface))
	}
	return "{" + strings.Join(blocks, ", ") + "}"
}

// Defaults returns a `programs` block in YAML with every program that runs with default settings.
func Defaults() string {
	var blocks []string
	for _, p := range All() {
		if p.Defaults {
			blocks = append(blocks, p.Name+": {}")
		}
	}
	return "{" + strings.Join(blocks, ", ") + "}"
}
