// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package packet is the program `packet`: which packets network interfaces receive, counted and sampled by XDP.
package packet

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

const (
	name = "packet"

	// defaultEventLimit holds back the samples of a flood, never its metrics.
	defaultEventLimit = 1000
	// defaultSampleEvery makes a thousand samples of a million packets.
	defaultSampleEvery = 1000
	maxSampleEvery     = 1_000_000_000

	// longestName is the most bytes that the name of an interface has (IFNAMSIZ with its zero).
	longestName = 15
)

// Definition is the program's entry in the receiver's list of programs.
var Definition = program.Definition{
	Name:          name,
	DefaultConfig: func() program.Config { return defaultConfig() },
	New:           newProgram,
}

// Config is the configuration block `programs::packet`.
type Config struct {
	program.CommonConfig `mapstructure:",squash"`
	// Interfaces are names of network interfaces, and patterns of names, as path.Match has them.
	Interfaces []string `mapstructure:"interfaces"`
	// SampleEvery is how many packets one is picked of for an event.
	SampleEvery int `mapstructure:"sample_every"`
}

var _ program.Config = (*Config)(nil)

func defaultConfig() *Config {
	limit := defaultEventLimit
	return &Config{
		CommonConfig: program.CommonConfig{Events: true, EventLimit: &limit},
		SampleEvery:  defaultSampleEvery,
	}
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
	if c.SampleEvery < 1 || c.SampleEvery > maxSampleEvery {
		errs = append(errs, fmt.Errorf("sample_every: %d is not a number of packets from 1 to %d; leave the key out for %d, or set events: false for no samples",
			c.SampleEvery, maxSampleEvery, defaultSampleEvery))
	}
	return errors.Join(errs...)
}

func validateInterface(chosen string) error {
	if _, err := path.Match(chosen, ""); err != nil {
		return fmt.Errorf(`%q is not a pattern; close each [ with a ], as in "eth[0-3]"`, chosen)
	}
	if isPattern(chosen) {
		return nil
	}
	if chosen == "" || chosen == "." || chosen == ".." || len(chosen) > longestName || strings.ContainsAny(chosen, "/: \t\n\v\f\r") {
		return fmt.Errorf("%q is no name of a network interface; write one of 1 to %d bytes without blanks, / and :, as ip link lists them", chosen, longestName)
	}
	return nil
}

// isPattern is whether several names may match.
func isPattern(chosen string) bool { return strings.ContainsAny(chosen, `*?[\`) }

// chooses is whether an interface of that name is asked for.
func (c *Config) chooses(interfaceName string) bool {
	for _, chosen := range c.Interfaces {
		if matches, err := path.Match(chosen, interfaceName); err == nil && matches {
			return true
		}
	}
	return false
}

// named are the interfaces that are asked for by their very names.
func (c *Config) named() (names []string) {
	for _, chosen := range c.Interfaces {
		if !isPattern(chosen) {
			names = append(names, chosen)
		}
	}
	return names
}
