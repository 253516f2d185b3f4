// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/scraper/scraperhelper"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
)

const (
	// minInterval catches intervals without a unit, which are read as nanoseconds.
	minInterval      = time.Millisecond
	maxFlushInterval = time.Minute
	maxBatchSize     = 1 << 16
)

// Config is the configuration of the receiver.
type Config struct {
	// ControllerConfig has the interval at which metrics are read from the kernel.
	scraperhelper.ControllerConfig `mapstructure:",squash"`

	// ErrorMode decides whether the receiver fails if a program cannot be attached.
	ErrorMode ErrorMode `mapstructure:"error_mode"`
	// RingBufferSize is the size of the ring buffer. All programs share it.
	RingBufferSize RingBufferSize `mapstructure:"ring_buffer_size"`
	// BTFPath is a BTF file of the running kernel, for kernels without /sys/kernel/btf/vmlinux; empty for the kernel's own
	// BTF.
	BTFPath string `mapstructure:"btf_path"`
	// Histogram is the kind of buckets that histograms are published in.
	Histogram Histogram `mapstructure:"histogram"`
	// RetryOnFailure configures retries of a batch of events that the next consumer refuses.
	RetryOnFailure configretry.BackOffConfig `mapstructure:"retry_on_failure"`
	// Events configures how events are batched and which ones are disabled.
	Events EventsConfig `mapstructure:"events"`
	// Metrics configures which metrics, and which of their attributes, are disabled. It has a block for each metric.
	Metrics metadata.AllMetricsConfig `mapstructure:"metrics"`
	// ResourceAttributes configures which attributes of resources are disabled.
	ResourceAttributes metadata.ResourceAttributesConfig `mapstructure:"resource_attributes"`
	// Exclude configures which traffic and processes are excluded.
	Exclude FilterConfig `mapstructure:"exclude"`
	// Include configures which traffic and processes are included. Exclude takes precedence.
	Include IncludeConfig `mapstructure:"include"`
	// OverheadLimit is the most that the programs and the work on their events may cost; 0 is no limit.
	OverheadLimit OverheadLimit `mapstructure:"overhead_limit"`
	// OverheadInterval is how often the cost is measured if there is a limit.
	OverheadInterval time.Duration `mapstructure:"overhead_interval"`
	// Programs are the programs to run. A program runs if its key is present.
	Programs Programs `mapstructure:"programs"`
}

var (
	_ component.Config    = (*Config)(nil)
	_ confmap.Unmarshaler = (*Config)(nil)
	_ confmap.Validator   = (*Config)(nil)
)

// EventsConfig is the configuration block `events`.
type EventsConfig struct {
	// EventsConfig has a block with `enabled` for each event, by the event's name.
	metadata.EventsConfig `mapstructure:",squash"`

	// FlushInterval is the maximum time for which an event waits for its batch to fill.
	FlushInterval time.Duration `mapstructure:"flush_interval"`
	// BatchSize is the number of events at which a batch is sent without waiting.
	BatchSize BatchSize `mapstructure:"batch_size"`
	// Body enables the body of log records, one line for people.
	Body bool `mapstructure:"body"`
}

func createDefaultConfig() component.Config {
	controller := scraperhelper.NewDefaultControllerConfig()
	controller.CollectionInterval = 10 * time.Second
	retry := configretry.NewDefaultBackOffConfig()
	// Off by default: the collector joins all pipelines to one consumer, so a retry repeats a batch to pipelines that have
	// accepted it.
	retry.Enabled = false
	retry.InitialInterval, retry.MaxInterval, retry.MaxElapsedTime = 100*time.Millisecond, 5*time.Second, 30*time.Second
	return &Config{
		ControllerConfig: controller,
		RetryOnFailure:   retry,
		ErrorMode:        ErrorModePropagate,
		RingBufferSize:   8 * mebibyte,
		Histogram:        HistogramExplicit,
		Events: EventsConfig{
			EventsConfig:  metadata.DefaultEventsConfig(),
			FlushInterval: 200 * time.Millisecond,
			BatchSize:     1024,
			Body:          true,
		},
		Metrics:            metadata.DefaultAllMetricsConfig(),
		ResourceAttributes: metadata.DefaultResourceAttributesConfig(),
		Exclude:            FilterConfig{Self: true},
		OverheadInterval:   defaultOverheadInterval,
	}
}

// Unmarshal implements confmap.Unmarshaler; it names all unknown keys at once, and the known ones.
func (c *Config) Unmarshal(conf *confmap.Conf) error {
	return unmarshal(conf, c)
}

// Validate implements confmap.Validator for what no type of a key or block checks by itself: confmap.Validate visits
// them all and gives each error the path of its key.
func (c *Config) Validate() error {
	var errs []error
	for key, interval := range map[string]time.Duration{"collection_interval": c.CollectionInterval, "timeout": c.Timeout} {
		if interval > 0 && interval < minInterval {
			errs = append(errs, fmt.Errorf("%s: %s is too short; write at least %s, with the unit", key, interval, minInterval))
		}
	}
	if c.OverheadInterval < minOverheadInterval || c.OverheadInterval > maxOverheadInterval {
		errs = append(errs, fmt.Errorf("overhead_interval: %s is out of range; write a duration from %s to %s, with the unit",
			c.OverheadInterval, minOverheadInterval, maxOverheadInterval))
	}
	if len(c.Programs) == 0 {
		errs = append(errs, fmt.Errorf("programs: none is listed; list at least one of %s", programNames()))
	}
	return errors.Join(append(errs, c.checkFilters())...)
}

// Validate checks the flush interval.
func (c *EventsConfig) Validate() error {
	if c.FlushInterval < minInterval || c.FlushInterval > maxFlushInterval {
		return fmt.Errorf("flush_interval: %s is out of range; write a duration from %s to %s, with the unit",
			c.FlushInterval, minInterval, maxFlushInterval)
	}
	return nil
}

// BatchSize is a number of events.
type BatchSize int

// Validate checks the bounds.
func (s BatchSize) Validate() error {
	if s < 1 || s > maxBatchSize {
		return fmt.Errorf("%d is out of range; a batch has 1 to %d events", int(s), maxBatchSize)
	}
	return nil
}

// ErrorMode decides whether the receiver fails if a program cannot be attached.
type ErrorMode string

const (
	// ErrorModePropagate fails the start of the receiver.
	ErrorModePropagate ErrorMode = "propagate"
	// ErrorModeIgnore runs the other programs, and reports the failed ones in the component status and as ebpf.program.state events.
	ErrorModeIgnore ErrorMode = "ignore"
)

// Validate checks that the mode is known.
func (m ErrorMode) Validate() error { return oneOf(m, ErrorModePropagate, ErrorModeIgnore) }

// Histogram is the kind of buckets that histograms are published in.
type Histogram string

const (
	// HistogramExplicit publishes OTLP histograms with explicit bounds.
	HistogramExplicit Histogram = "explicit"
	// HistogramExponential publishes OTLP exponential histograms.
	HistogramExponential Histogram = "exponential"
)

// Validate checks that the kind is known.
func (h Histogram) Validate() error { return oneOf(h, HistogramExplicit, HistogramExponential) }

func oneOf[T ~string](value, a, b T) error {
	if slices.Contains([]T{a, b}, value) {
		return nil
	}
	return fmt.Errorf("%q is neither %s nor %s", string(value), a, b)
}
