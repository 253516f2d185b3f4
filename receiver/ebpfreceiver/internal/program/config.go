// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package program is the frame that every eBPF program stands in.
package program

import (
	"fmt"
	"time"
)

// Config is the configuration block of one program, below `programs::<name>`.
type Config interface {
	// Validate reports every fault of the block at once; it does no I/O.
	Validate() error
	// Common returns the settings that every program has.
	Common() *CommonConfig
}

// CommonConfig holds the settings that every program has; a program's Config embeds it with `mapstructure:",squash"`.
type CommonConfig struct {
	// Events is whether the program emits an event per occurrence; its metrics do not depend on it.
	Events bool `mapstructure:"events"`
	// EventLimit is the most events per second that the program emits; nil, where a program has no other default, is no limit.
	EventLimit *int `mapstructure:"event_limit"`
}

// Common implements Config.
func (c *CommonConfig) Common() *CommonConfig { return c }

// Validate implements Config.
func (c *CommonConfig) Validate() error {
	if c.EventLimit != nil && *c.EventLimit <= 0 {
		return fmt.Errorf("event_limit: %d is not a positive number of events per second; write one of at least 1, leave the key out for the default, or set events: false for no events", *c.EventLimit)
	}
	return nil
}

// CheckDuration returns an error unless the value of a setting is from least to most; the setting may be left out for preset.
func CheckDuration(key string, value, least, most, preset time.Duration) error {
	if value >= least && value <= most {
		return nil
	}
	return fmt.Errorf("%s: %s is not between %s and %s; leave the key out for %s", key, value, least, most, preset)
}

// CheckThreshold is CheckDuration for the setting `threshold`: from which duration on something is an event.
func CheckThreshold(value, least, most, preset time.Duration) error {
	if err := CheckDuration("threshold", value, least, most, preset); err != nil {
		return fmt.Errorf("%w, or set events: false for no events", err)
	}
	return nil
}
