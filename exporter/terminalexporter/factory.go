// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package terminalexporter

import (
	"context"
	"os"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"golang.org/x/term"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/terminalexporter/internal/metadata"
)

// NewFactory returns the factory of the exporter.
func NewFactory() exporter.Factory {
	return exporter.NewFactory(metadata.Type, createDefaultConfig, exporter.WithLogs(createLogs, metadata.LogsStability))
}

func createLogs(ctx context.Context, settings exporter.Settings, config component.Config) (exporter.Logs, error) {
	cfg := config.(*Config) //nolint:forcetypeassert // it is what createDefaultConfig has made
	t := &terminal{out: os.Stdout, form: form{columns: cfg.Columns, color: hasColor(cfg.Color)}}
	return exporterhelper.NewLogs(ctx, settings, cfg, t.push,
		exporterhelper.WithCapabilities(consumer.Capabilities{MutatesData: false}),
		exporterhelper.WithTimeout(exporterhelper.TimeoutConfig{Timeout: 0}),
		exporterhelper.WithQueue(cfg.QueueConfig))
}

// hasColor decides about ColorAuto. Any value of NO_COLOR means none (no-color.org).
func hasColor(c Color) bool {
	if c != ColorAuto {
		return c == ColorAlways
	}
	return os.Getenv("NO_COLOR") == "" && term.IsTerminal(int(os.Stdout.Fd()))
}
