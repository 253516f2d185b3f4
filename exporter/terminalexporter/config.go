// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package terminalexporter

import (
	"errors"
	"fmt"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
)

// Color is whether lines have colors.
type Color string

// The values of Color. ColorAuto means yes if standard output is a terminal, unless the environment has NO_COLOR.
const (
	ColorAuto   Color = "auto"
	ColorAlways Color = "always"
	ColorNever  Color = "never"
)

// minColumns leaves room for the time, the severity and a few words.
const minColumns = 40

// Config is the configuration of the exporter.
type Config struct {
	// Color is whether severities have colors.
	Color Color `mapstructure:"color"`
	// Columns is the length of a line in characters, at which it is cut. 0 cuts nothing.
	Columns int `mapstructure:"columns"`
	// QueueConfig is the queue in front of the terminal: one that stands still must not stop other pipelines.
	QueueConfig configoptional.Optional[exporterhelper.QueueBatchConfig] `mapstructure:"sending_queue"`
}

func createDefaultConfig() component.Config {
	queue := exporterhelper.NewDefaultQueueConfig()
	queue.NumConsumers = 1 // lines stay in order
	return &Config{Color: ColorAuto, Columns: 120, QueueConfig: configoptional.Some(queue)}
}

// Validate implements xconfmap.Validator.
func (c *Config) Validate() error {
	var errs []error
	switch c.Color {
	case ColorAuto, ColorAlways, ColorNever:
	default:
		errs = append(errs, fmt.Errorf("color: %q is not one of auto, always, never", c.Color))
	}
	if c.Columns != 0 && c.Columns < minColumns {
		errs = append(errs, fmt.Errorf("columns: %d is too few; write at least %d, or 0 to cut nothing", c.Columns, minColumns))
	}
	return errors.Join(errs...)
}
