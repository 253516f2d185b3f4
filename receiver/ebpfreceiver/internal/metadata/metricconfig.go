// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package metadata has the code that mdatagen generates from metadata.yaml, and additions for which mdatagen has no
// templates.
package metadata

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/confmap"
)

// MetricConfig provides config for one metric.
type MetricConfig struct {
	Enabled bool `mapstructure:"enabled"`
	// Attributes are those that the data points keep; nil is all. Data points that become equal are added up.
	Attributes MetricAttributes `mapstructure:"attributes"`
}

// MetricAttributes are names of attributes.
type MetricAttributes []string

// String returns the list, or that it is not limited.
func (a MetricAttributes) String() string {
	if a == nil {
		return "all"
	}
	return "[" + strings.Join(a, ", ") + "]"
}

// Kept returns the attributes that are kept of each metric that loses any, by the metric's name.
func (c *AllMetricsConfig) Kept() map[string]MetricAttributes {
	kept := map[string]MetricAttributes{}
	c.each(func(name string, attributes []string, config *MetricConfig) {
		isLost := func(attribute string) bool { return !slices.Contains(config.Attributes, attribute) }
		if config.Attributes != nil && slices.ContainsFunc(attributes, isLost) {
			kept[name] = config.Attributes
		}
	})
	return kept
}

// Validate checks that each metric has the attributes that it is to keep.
func (c *AllMetricsConfig) Validate() error {
	var errs []error
	c.each(func(name string, attributes []string, config *MetricConfig) {
		for _, attribute := range config.Attributes {
			if !slices.Contains(attributes, attribute) {
				errs = append(errs, fmt.Errorf("%s%sattributes: the metric has no attribute %q; its attributes are %s",
					name, confmap.KeyDelimiter, attribute, strings.Join(attributes, ", ")))
			}
		}
	})
	return errors.Join(errs...)
}
