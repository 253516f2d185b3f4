// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package connection is the program `connection`: the connections of processes, with their results.
package connection

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/programs/cgroup"
)

var mergeWithin = program.Range[time.Duration]{Most: 10 * time.Second}

var location = map[kernel.Capability]string{kernel.CapSyslog: "ebpf.drop.location"}

// Definition is the program's entry in the receiver's list of programs.
var Definition = program.Definition{
	Name:    "connection",
	Purpose: "Who connects to whom over TCP, UDP and unix sockets, with what result, how fast, and how much is sent.",
	Settings: map[string]program.Setting{
		"protocols": {
			Unit:    "list",
			Meaning: "Which of `tcp`, `udp` and `unix` are reported. `unix` costs a syscall tracepoint, which slows down every syscall of the host.",
			Schema: program.Schema{
				"minItems": 1, "uniqueItems": true, "items": program.Schema{"enum": program.Strings(protocols...)},
			},
		},
		"merge_within": {
			Unit: program.UnitDuration, Range: mergeWithin,
			Meaning: "A TCP connection that ends this soon after it was made is one event on each side: its close, with the duration of the handshake. " +
				"The event of making a connection waits that long. 0 is off.",
		},
	},
	Example: "{protocols: [tcp, udp, unix]}",
	Privileges: []program.Privileges{
		{Needed: []kernel.Capability{kernel.CapNetAdmin}, Serves: location},
		{With: "`protocols: [tcp]`", Settings: "{protocols: [tcp]}", Serves: location},
		{
			With: "`unix` in `protocols`", Settings: "{protocols: [tcp, udp, unix]}",
			Needed: []kernel.Capability{kernel.CapNetAdmin, kernel.CapDACReadSearch}, Serves: location,
		},
	},
	Problems:      problems,
	DefaultConfig: func() program.Config { return defaultConfig() },
	New:           newProgram,
	Listeners:     true,
	Needs:         []*program.Definition{&cgroup.Definition},
}

// Protocol is a transport whose connections the program reports.
type Protocol string

// The protocols that the program knows.
const (
	TCP  Protocol = "tcp"
	UDP  Protocol = "udp"
	Unix Protocol = "unix"
)

var protocols = []Protocol{TCP, UDP, Unix}

// Config is the configuration block `programs::connection`.
type Config struct {
	program.CommonConfig `mapstructure:",squash"`
	// Protocols are those whose connections are reported. Unix is not among the defaults: it costs a syscall
	// tracepoint, which slows down every syscall of the host.
	Protocols []Protocol `mapstructure:"protocols"`
	// MergeWithin is how long a connection lasts at most to be one event on each side.
	MergeWithin time.Duration `mapstructure:"merge_within"`
}

var _ program.Config = (*Config)(nil)

func defaultConfig() *Config {
	return &Config{CommonConfig: program.Unlimited(), Protocols: []Protocol{TCP, UDP}}
}

// Has reports whether the connections of a protocol are asked for.
func (c *Config) Has(p Protocol) bool { return slices.Contains(c.Protocols, p) }

// Validate implements program.Config.
func (c *Config) Validate() error {
	errs := []error{c.CommonConfig.Validate(), mergeWithin.Check("merge_within", c.MergeWithin)}
	if len(c.Protocols) == 0 {
		errs = append(errs, fmt.Errorf("protocols: none is listed; list at least one of %s, or leave the key out for tcp and udp", known()))
	}
	for i, p := range c.Protocols {
		switch {
		case !slices.Contains(protocols, p):
			errs = append(errs, fmt.Errorf("protocols::%d: %q is not one of %s", i, p, known()))
		case slices.Index(c.Protocols, p) < i:
			errs = append(errs, fmt.Errorf("protocols::%d: %q is listed twice", i, p))
		}
	}
	return errors.Join(errs...)
}

func known() string {
	names := make([]string, len(protocols))
	for i, p := range protocols {
		names[i] = string(p)
	}
	return strings.Join(names, ", ")
}
