// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package eventstoreexporter

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/metadata"
)

// NewFactory returns the factory of the exporter.
func NewFactory() exporter.Factory {
	return exporter.NewFactory(metadata.Type, createDefaultConfig, exporter.WithLogs(createLogs, metadata.LogsStability))
}

func createLogs(ctx context.Context, settings exporter.Settings, config component.Config) (exporter.Logs, error) {
	cfg := config.(*Config) //nolint:forcetypeassert // it is what createDefaultConfig has made
	e, err := newEventStore(cfg, settings)
	if err != nil {
		return nil, err
	}
	e.Logs, err = exporterhelper.NewLogs(ctx, settings, cfg, e.push,
		exporterhelper.WithCapabilities(consumer.Capabilities{MutatesData: false}),
		exporterhelper.WithTimeout(exporterhelper.TimeoutConfig{Timeout: 0}),
		exporterhelper.WithQueue(cfg.QueueConfig),
		exporterhelper.WithStart(e.start),
		exporterhelper.WithShutdown(e.shutdown))
	if err != nil {
		return nil, err
	}
	return e, nil
}
