// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package program loads, attaches and reads eBPF programs.
package program

import (
	"errors"
	"fmt"
	"time"
)

// Config is the configuration block of one program, below `programs::<name>`.
type Config interface {
	// Validate returns all errors of the block at once. It does no I/O.
	Validate() error
	// Common returns the settings that every program has.
	Common() *CommonConfig
}

// CommonConfig holds the settings that every program has; a program's Config embeds it with `mapstructure:",squash"`.
type CommonConfig struct {
	// Events enables the program's events. Its metrics do not depend on it.
	Events bool `mapstructure:"events"`
	// EventLimit is the most events per second that the program emits. nil means no limit, unless the program has another
	// default.
	EventLimit *int `mapstructure:"event_limit"`
}

// CommonSettings document the settings of CommonConfig.
var CommonSettings = map[string]Setting{
	"events": {
		Meaning: "Whether the program emits events; its metrics do not depend on it.",
	},
	"event_limit": {
		Unit:    "events per second",
		Meaning: "The most events that are emitted; the rest is counted as lost by `rate_limit`. Metrics stay exact.",
		Schema:  Schema{"minimum": 1},
	},
}

// Limited returns the common settings of a program with a default event limit.
func Limited(eventLimit int) CommonConfig { return CommonConfig{Events: true, EventLimit: &eventLimit} }

// Unlimited returns the common settings of a program without a default event limit, because its events are rare or all
// wanted.
func Unlimited() CommonConfig { return CommonConfig{Events: true} }

// Common implements Config.
func (c *CommonConfig) Common() *CommonConfig { return c }

// Validate implements Config.
func (c *CommonConfig) Validate() error {
	if c.EventLimit != nil && *c.EventLimit <= 0 {
		return fmt.Errorf("event_limit: %d is not a positive number of events per second; write one of at least 1, leave the key out for the default, or set events: false for no events", *c.EventLimit)
	}
	return nil
}

// ThresholdConfig is the configuration block of a program that emits an event for what takes longer than a threshold.
type ThresholdConfig struct {
	CommonConfig `mapstructure:",squash"`
	// Threshold is the shortest duration that is an event.
	Threshold time.Duration `mapstructure:"threshold"`
}

var _ Config = (*ThresholdConfig)(nil)

// Threshold is the range that ThresholdConfig accepts.
var Threshold = Range[time.Duration]{Least: time.Microsecond, Most: time.Hour, Default: 100 * time.Millisecond}

// NewThresholdConfig returns a default threshold and a default event limit.
func NewThresholdConfig(eventLimit int) *ThresholdConfig {
	return &ThresholdConfig{CommonConfig: Limited(eventLimit), Threshold: Threshold.Default}
}

// Validate implements Config.
func (c *ThresholdConfig) Validate() error {
	return errors.Join(c.CommonConfig.Validate(), Threshold.CheckEvents("threshold", c.Threshold, "events"))
}
