// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package packet is the program `packet`: the packets that network interfaces receive, counted and sampled by XDP.
package packet

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

const (
	name = "packet"

	// defaultEventLimit limits the samples of a flood. Its metrics have no limit.
	defaultEventLimit = 1000

	// longestName is the most bytes of an interface's name (IFNAMSIZ without the zero byte).
	longestName = 15
)

// sampleEvery is the default: a thousand samples per million packets.
var sampleEvery = program.Range[int]{Least: 1, Most: 1_000_000_000, Default: 1000, Unit: "packets"}

// Definition is the program's entry in the receiver's list of programs.
var Definition = program.Definition{
	Name:    name,
	Purpose: "Which packets network interfaces receive, counted and sampled by XDP.",
	Settings: map[string]program.Setting{
		"interfaces": {
			Unit:    "list of names or patterns",
			Meaning: "The network interfaces, of the collector's network namespace, whose packets are counted, such as `[eth0, \"veth*\"]`; at least one. In patterns `*` is any text, `?` any character and `[a-c]` one of several. An interface listed by name has to exist; one that matches a pattern may appear later.",
			Schema:  program.Schema{"minItems": 1, "items": program.Schema{"pattern": `^[^/: \t\n\v\f\r]+$`}},
		},
		"sample_every": {
			Unit: sampleEvery.Unit, Range: sampleEvery,
			Meaning: "One of so many packets becomes an event, picked at random.",
		},
	},
	Example:       `{interfaces: ["*"]}`,
	Privileges:    []program.Privileges{{Settings: `{interfaces: ["*"]}`, Needed: []kernel.Capability{kernel.CapNetAdmin}}},
	DefaultConfig: func() program.Config { return defaultConfig() },
	New:           newProgram,
}

// Config is the configuration block `programs::packet`.
type Config struct {
	program.CommonConfig `mapstructure:",squash"`
	// Interfaces are names of network interfaces, and patterns as in path.Match.
	Interfaces []string `mapstructure:"interfaces"`
	// SampleEvery is the number of packets per sample.
	SampleEvery int `mapstructure:"sample_every"`
}

var _ program.Config = (*Config)(nil)

func defaultConfig() *Config {
	return &Config{CommonConfig: program.Limited(defaultEventLimit), SampleEvery: sampleEvery.Default}
}

// Validate implements program.Config.
func (c *Config) Validate() error {
	errs := []error{c.CommonConfig.Validate()}
	if len(c.Interfaces) == 0 {
		errs = append(errs, errors.New(`interfaces: none is listed; list the network interfaces whose packets are to be counted, by name or pattern, such as [eth0, "veth*"]`))
	}
	for i, chosen := range c.Interfaces {
		if err := validateInterface(chosen); err != nil {
			errs = append(errs, fmt.Errorf("interfaces::%d: %w", i, err))
		}
	}
	return errors.Join(append(errs, sampleEvery.CheckEvents("sample_every", c.SampleEvery, "samples"))...)
}

func validateInterface(chosen string) error {
	if _, err := path.Match(chosen, ""); err != nil {
		return fmt.Errorf(`%q is not a pattern; close each [ with a ], as in "eth[0-3]"`, chosen)
	}
	if isPattern(chosen) {
		return nil
	}
	if chosen == "" || chosen == "." || chosen == ".." || len(chosen) > longestName || strings.ContainsAny(chosen, "/: \t\n\v\f\r") {
		return fmt.Errorf("%q is not a name of a network interface; write one of 1 to %d bytes without blanks, / and :, as ip link lists them", chosen, longestName)
	}
	return nil
}

// isPattern reports whether several names may match.
func isPattern(chosen string) bool { return strings.ContainsAny(chosen, `*?[\`) }

// chooses reports whether the settings choose an interface of that name.
func (c *Config) chooses(interfaceName string) bool {
	for _, chosen := range c.Interfaces {
		if matches, err := path.Match(chosen, interfaceName); err == nil && matches {
			return true
		}
	}
	return false
}

// named returns the interfaces that are listed by name and not by pattern.
func (c *Config) named() (names []string) {
	for _, chosen := range c.Interfaces {
		if !isPattern(chosen) {
			names = append(names, chosen)
		}
	}
	return names
}
