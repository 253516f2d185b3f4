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
	// Attributes are those that the data points keep; nil is all that are not opt-in. Data points that become equal are added up.
	Attributes MetricAttributes `mapstructure:"attributes"`
}

// The opt-in attributes: metrics have them only if their configuration lists them, because they multiply series without bounds. ofPeers
// are those of servers, ofQuestions the names that are looked up.
var (
	ofPeers     = []string{"server.address", "server.port"}
	ofQuestions = []string{"dns.question.name"}
)

// ofListeners begins the names of the metrics of listeners. Their address and port are not opt-in: they identify a listener.
const ofListeners = "ebpf.listener."

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
	byPeer, byQuestion := c.ByPeer(), c.ByQuestion()
	c.each(func(name string, attributes []string, config *MetricConfig) {
		isOptIn := func(attribute string) bool { return isOptIn(name, attribute) }
		wanted := config.Attributes
		if wanted == nil {
			wanted = slices.DeleteFunc(slices.Clone(attributes), isOptIn)
		}
		isLost := func(attribute string) bool {
			isThere := !isOptIn(attribute) || byPeer && slices.Contains(ofPeers, attribute) || byQuestion && slices.Contains(ofQuestions, attribute)
			return isThere && !slices.Contains(wanted, attribute)
		}
		if slices.ContainsFunc(attributes, isLost) {
			kept[name] = wanted
		}
	})
	return kept
}

// ByPeer reports whether any metric has series per server.
func (c *AllMetricsConfig) ByPeer() bool { return c.keepsAny(ofPeers) }

// ByQuestion reports whether any metric has series per looked-up name.
func (c *AllMetricsConfig) ByQuestion() bool { return c.keepsAny(ofQuestions) }

// keepsAny reports whether any metric is to keep one of the attributes, which are opt-in there.
func (c *AllMetricsConfig) keepsAny(attributes []string) (keeps bool) {
	c.each(func(name string, _ []string, config *MetricConfig) {
		keeps = keeps || config.Enabled && slices.ContainsFunc(config.Attributes, func(attribute string) bool {
			return isOptIn(name, attribute) && slices.Contains(attributes, attribute)
		})
	})
	return keeps
}

func isOptIn(metric, attribute string) bool {
	if slices.Contains(ofPeers, attribute) {
		return !strings.HasPrefix(metric, ofListeners)
	}
	return slices.Contains(ofQuestions, attribute)
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
