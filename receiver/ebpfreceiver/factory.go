// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

import (
	"context"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/scraper"
	"go.opentelemetry.io/collector/scraper/scraperhelper"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
)

// NewFactory returns the factory of the receiver `ebpf`, for logs and metrics. The pipelines of one configuration share
// one receiver.
func NewFactory() receiver.Factory {
	f := &factory{receivers: newSharedComponents[*Config, *ebpfReceiver]()}
	return receiver.NewFactory(
		metadata.Type,
		createDefaultConfig,
		receiver.WithLogs(f.createLogs, metadata.LogsStability),
		receiver.WithMetrics(f.createMetrics, metadata.MetricsStability),
	)
}

type factory struct {
	receivers *sharedComponents[*Config, *ebpfReceiver]
}

func (f *factory) createLogs(
	_ context.Context, set receiver.Settings, config component.Config, next consumer.Logs,
) (receiver.Logs, error) {
	shared := f.shared(set, config.(*Config))
	shared.component.logs = next
	return shared, nil
}

func (f *factory) createMetrics(
	_ context.Context, set receiver.Settings, config component.Config, next consumer.Metrics,
) (receiver.Metrics, error) {
	c := config.(*Config)
	shared := f.shared(set, c)
	shared.component.metrics = next
	source, err := scraper.NewMetrics(
		shared.component.scrape,
		scraper.WithStart(shared.Start),
		scraper.WithShutdown(shared.Shutdown),
	)
	if err != nil {
		return nil, err
	}
	controller, err := scraperhelper.NewMetricsController(
		&c.ControllerConfig, set, next, scraperhelper.AddMetricsScraper(metadata.Type, source),
	)
	if err != nil {
		return nil, err
	}
	return &metricsReceiver{Metrics: controller}, nil
}

func (f *factory) shared(set receiver.Settings, config *Config) *sharedComponent[*ebpfReceiver] {
	return f.receivers.loadOrStore(config, func() *ebpfReceiver { return newReceiver(config, set) })
}

// metricsReceiver is the scraper controller made safe to be shut down twice.
type metricsReceiver struct {
	receiver.Metrics
	once sync.Once
	err  error
}

// Shutdown implements component.Component.
func (r *metricsReceiver) Shutdown(ctx context.Context) error {
	r.once.Do(func() { r.err = r.Metrics.Shutdown(ctx) })
	return r.err
}
