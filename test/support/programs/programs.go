// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package programs is the list of the receiver's programs, for tests and tools that cannot import their Definitions.
// `make generate` makes programs.json from these.
package programs

import (
	_ "embed"
	"encoding/json"
	"strings"
)

// Program is what a program's Definition says of it.
type Program struct {
	// Name is the program's key in the configuration.
	Name    string
	Purpose string
	// Defaults is whether the program runs with its defaults alone.
	Defaults bool
	// Example is a block in YAML with which the program attaches all of its hooks.
	Example string
	// Containers is whether its metrics are those of containers.
	Containers bool
	// Privileges are the ways to run it that need different capabilities, the defaults first.
	Privileges []Privileges
}

// Privileges are the capabilities of one way to run a program.
type Privileges struct {
	// With says in Markdown which settings this is about; "" for the defaults.
	With string
	// Settings are these settings, as a block in YAML.
	Settings string
	// Needed are the names of the capabilities without which the program does not start.
	Needed []string
	// Serves has the capabilities that the program does without, each with the attribute that its events then lack.
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

// ExampleOn returns the example, with one network interface instead of all.
func (p Program) ExampleOn(networkInterface string) string {
	return strings.ReplaceAll(p.Example, `"*"`, networkInterface)
}

// Examples returns a block `programs` in YAML in which every program attaches all of its hooks, those of network
// interfaces to one interface alone.
func Examples(networkInterface string) string {
	var blocks []string
	for _, p := range All() {
		blocks = append(blocks, p.Name+": "+p.ExampleOn(networkInterface))
	}
	return "{" + strings.Join(blocks, ", ") + "}"
}

// Defaults returns a block `programs` in YAML with every program that runs with its defaults.
func Defaults() string {
	var blocks []string
	for _, p := range All() {
		if p.Defaults {
			blocks = append(blocks, p.Name+": {}")
		}
	}
	return "{" + strings.Join(blocks, ", ") + "}"
}
