// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receiverhelper"
	"go.opentelemetry.io/collector/scraper/scrapererror"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/delivery"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/overhead"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

// shutdownTimeout is how long Shutdown waits for the next consumer if its context has no deadline.
const shutdownTimeout = 5 * time.Second

// ebpfReceiver serves the logs and the metrics pipeline of one configuration.
type ebpfReceiver struct {
	config   *Config
	settings receiver.Settings
	logs     consumer.Logs    // nil if no logs pipeline uses the receiver
	metrics  consumer.Metrics // nil if no metrics pipeline uses it

	telemetry  *metadata.TelemetryBuilder
	containers *kernel.Containers
	clock      *kernel.Clock
	loop       *delivery.Loop
	scrapeLoop *scrapeLoop // nil if nothing needs it
	status     *statuses

	// loadPrograms loads and attaches the programs; tests replace it.
	loadPrograms func(program.Options) (source, error)
	// failures are the errors that error_mode ignore leaves to the component status.
	failures failures
	// states are those of all programs that were asked for.
	states program.States

	mu      sync.Mutex // guards source against a scrape during Shutdown
	source  source
	reader  delivery.Reader
	limiter *overhead.Limiter // nil without overhead_limit
	started pcommon.Timestamp
	// lifetimes are those of the series that were published.
	lifetimes *metrics.Lifetimes
}

// source is the set of programs, as far as the receiver needs it.
type source interface {
	delivery.Source
	// Reader returns a new reader of the records that the programs write.
	Reader() (delivery.Reader, error)
	Scrape(b *metrics.Builder) error
	overhead.Programs
	Attached() int
	Detach()
	Close() error
}

func newReceiver(config *Config, set receiver.Settings) *ebpfReceiver {
	r := &ebpfReceiver{config: config, settings: set, lifetimes: metrics.NewLifetimes()}
	r.loadPrograms = r.openSet
	return r
}

// Start implements component.Component. It loads and attaches the programs. The context ends with Start, so nothing that
// goes on may use it.
func (r *ebpfReceiver) Start(_ context.Context, host component.Host) (err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, r.release())
		}
	}()
	if r.telemetry, err = metadata.NewTelemetryBuilder(r.settings.TelemetrySettings); err != nil {
		return err
	}
	if err = r.registerGauges(); err != nil {
		return err
	}
	r.warnOfNothing()
	r.containers = r.openContainers()
	if r.clock, err = kernel.NewClock(); err != nil {
		return err
	}
	r.status = &statuses{host: host}
	if r.loop, err = r.newLoop(r.status.part(host)); err != nil {
		return err
	}
	r.started = pcommon.NewTimestampFromTime(time.Now())
	source, reader, err := r.attach()
	if err != nil {
		if r.config.ErrorMode != ErrorModeIgnore {
			return err
		}
		source, reader = r.runWithout(err)
	}
	r.loop.Start(source, reader)
	r.mu.Lock()
	r.source, r.reader = source, reader
	r.limiter = r.startLimiter(source)
	r.mu.Unlock()
	if r.needsScrapeLoop() {
		r.scrapeLoop = startScrapeLoop(r.config.CollectionInterval, r.settings.Logger, r.scrape)
	}
	if err := r.failures.take(); err != nil {
		// All errors in one status: the collector accepts no further status after a permanent error.
		componentstatus.ReportStatus(host, componentstatus.NewPermanentErrorEvent(err))
	}
	return nil
}

// newReport returns what counts the telemetry that the next consumers accept and refuse.
func (r *ebpfReceiver) newReport() (*receiverhelper.ObsReport, error) {
	return receiverhelper.NewObsReport(receiverhelper.ObsReportSettings{
		ReceiverID:             r.settings.ID,
		ReceiverCreateSettings: r.settings,
	})
}

func (r *ebpfReceiver) newLoop(host component.Host) (*delivery.Loop, error) {
	report, err := r.newReport()
	if err != nil {
		return nil, err
	}
	events := &r.config.Events
	return delivery.New(delivery.Settings{
		Logger:    r.settings.Logger,
		Telemetry: r.telemetry,
		Clock:     r.clock,
		Batch: batch.Settings{
			Clock:      r.clock,
			Containers: r.containers,
			Resources:  metadata.NewResourceBuilder(r.config.ResourceAttributes),
			Include:    delivery.NewResourceFilter(&r.config.ResourceAttributes).Includes,
			ScopeName:  metadata.ScopeName,
			Version:    r.settings.BuildInfo.Version,
			Body:       events.Body,
			Size:       int(events.BatchSize),
		},
		FlushInterval: events.FlushInterval,
		Next:          delivery.Next{Consumer: r.logs, Report: report, Host: host, Retry: r.config.RetryOnFailure},
		StateEvents:   events.EbpfProgramState.Enabled,
		LossEvents:    events.EbpfEventLost.Enabled,
	}), nil
}

// scrape reads the metrics. After Shutdown has begun it returns none.
func (r *ebpfReceiver) scrape(context.Context) (pmetric.Metrics, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.source == nil {
		return pmetric.NewMetrics(), nil
	}
	return r.read(r.source)
}

// read reads the metrics of the programs.
func (r *ebpfReceiver) read(source source) (pmetric.Metrics, error) {
	config := metadata.NewDefaultMetricsBuilderConfig()
	config.Metrics = r.config.Metrics.Sums()
	config.ResourceAttributes = r.config.ResourceAttributes
	now := pcommon.NewTimestampFromTime(time.Now())
	b := metrics.NewBuilder(r.started, now, r.containers, func() *metadata.MetricsBuilder {
		return metadata.NewMetricsBuilder(config, r.settings, metadata.WithStartTime(r.started))
	})
	b.Kept = r.config.Metrics.Kept()
	r.states.Scrape(b)
	r.limiter.Scrape(b)
	err := source.Scrape(b)
	if err != nil {
		// A partial error: the metrics of the other programs are still good.
		err = scrapererror.NewPartialScrapeError(err, 1)
	}
	all := b.Emit()
	r.lifetimes.Apply(all, now)
	return all, err
}

// Shutdown implements component.Component. It detaches the programs, publishes their counts since the last collection,
// delivers the remaining events within the context's deadline, and frees all objects in the kernel.
func (r *ebpfReceiver) Shutdown(ctx context.Context) error {
	r.mu.Lock()
	source := r.source
	r.source = nil
	r.mu.Unlock()
	if source == nil {
		return r.release()
	}
	r.scrapeLoop.stop()
	r.limiter.Stop()
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, shutdownTimeout)
		defer cancel()
	}
	source.Detach()
	r.publishLast(ctx, source)
	release := func() error { return errors.Join(r.reader.Close(), source.Close(), r.release()) }
	if err := r.loop.Stop(ctx); err != nil {
		// The loop still uses them.
		go func() {
			<-r.loop.Done()
			_ = release()
		}()
		return fmt.Errorf("deliver the last events: %w", err)
	}
	return release()
}

// release releases what does not depend on programs.
func (r *ebpfReceiver) release() (err error) {
	if r.containers != nil {
		err = r.containers.Close()
		r.containers = nil
	}
	if r.telemetry != nil {
		r.telemetry.Shutdown()
		r.telemetry = nil
	}
	return err
}
