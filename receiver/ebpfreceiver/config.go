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
	// minInterval is less than anybody means: a number without a unit is read as nanoseconds.
	minInterval      = time.Millisecond
	maxFlushInterval = time.Minute
	maxBatchSize     = 1 << 16
)

// Config is the configuration of the receiver.
type Config struct {
	// ControllerConfig says how often the metrics are read from the kernel.
	scraperhelper.ControllerConfig `mapstructure:",squash"`

	// ErrorMode is what becomes of the receiver when a program cannot be attached.
	ErrorMode ErrorMode `mapstructure:"error_mode"`
	// RingBufferSize is the size of the one ring buffer that the events of all programs go through.
	RingBufferSize RingBufferSize `mapstructure:"ring_buffer_size"`
	// BTFPath names a BTF file of the running kernel, for kernels without /sys/kernel/btf/vmlinux; empty for the kernel's own.
	BTFPath string `mapstructure:"btf_path"`
	// Histogram is the kind of buckets that histograms are published in.
	Histogram Histogram `mapstructure:"histogram"`
	// RetryOnFailure says whether a batch of events that the next consumer refuses is offered again.
	RetryOnFailure configretry.BackOffConfig `mapstructure:"retry_on_failure"`
	// Events says how events are batched and which ones are left out.
	Events EventsConfig `mapstructure:"events"`
	// Metrics says which metrics, and which of their attributes, are left out: it has a block for each, by the metric's name.
	Metrics metadata.AllMetricsConfig `mapstructure:"metrics"`
	// ResourceAttributes says which attributes of resources are left out.
	ResourceAttributes metadata.ResourceAttributesConfig `mapstructure:"resource_attributes"`
	// Exclude says which traffic and processes are left out.
	Exclude ExcludeConfig `mapstructure:"exclude"`
	// Programs are the programs that are to run; one runs when its key is there.
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

	// FlushInterval is the longest that an event waits for its batch to fill.
	FlushInterval time.Duration `mapstructure:"flush_interval"`
	// BatchSize is the number of events at which a batch is sent without waiting.
	BatchSize BatchSize `mapstructure:"batch_size"`
	// Body is whether log records have a body, one line for people.
	Body bool `mapstructure:"body"`
}

func createDefaultConfig() component.Config {
	controller := scraperhelper.NewDefaultControllerConfig()
	controller.CollectionInterval = 10 * time.Second
	retry := configretry.NewDefaultBackOffConfig()
	// Off, because the collector joins all pipelines to one consumer: a retry repeats a batch to those that have taken it.
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
		Exclude:            ExcludeConfig{Self: true},
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
	if len(c.Programs) == 0 {
		errs = append(errs, fmt.Errorf("programs: none is listed; list at least one of %s", programNames()))
	}
	return errors.Join(errs...)
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

// ErrorMode is what becomes of the receiver when a program cannot be attached.
type ErrorMode string

const (
	// ErrorModePropagate fails the start of the receiver.
	ErrorModePropagate ErrorMode = "propagate"
	// ErrorModeIgnore runs what can run, and reports the rest as component status and ebpf.program.state events.
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
