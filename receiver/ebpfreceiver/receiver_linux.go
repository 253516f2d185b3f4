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
	"go.opentelemetry.io/collector/scraper/scrapererror"
	"go.uber.org/zap"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/histogram"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/ring"
)

// lastWords is how long Shutdown waits for the next consumer if its context sets no end.
const lastWords = 5 * time.Second

// ebpfReceiver serves the logs and the metrics pipeline of one configuration.
type ebpfReceiver struct {
	config   *Config
	settings receiver.Settings
	logs     consumer.Logs // nil if no logs pipeline uses the receiver
	scraped  bool          // whether a metrics pipeline uses it

	host       *program.Host
	containers *kernel.Containers
	telemetry  *metadata.TelemetryBuilder
	events     *events
	lookout    *lookout // nil if nothing is to be looked at but by a metrics pipeline

	// open loads and attaches the programs; tests put a source of their own in its place.
	open    func(program.Settings) (source, error)
	backOff backOff
	// failures are what error_mode ignore leaves to the status.
	failures failures
	// states are those of all programs that were asked for.
	states program.States

	mu      sync.Mutex // guards source against a scrape during Shutdown
	source  source
	started pcommon.Timestamp
}

// source is the kernel half of a running receiver: the programs, as far as the receiver needs them.
type source interface {
	// Reader returns a new reader of what the programs write.
	Reader() (recordReader, error)
	AppendLog(b *batch.Batch, record []byte) error
	LastSequences() ([]uint64, error)
	CountDelivered(events [common.MaxPrograms]int)
	CountRefused(events [common.MaxPrograms]int)
	Scrape(m *program.Metrics) error
	Attached() int
	Detach()
	Close() error
}

// recordReader is what ring.Reader does.
type recordReader interface {
	Wait(timeout time.Duration) error
	Wake() error
	Drain(limit int, f func(record []byte)) int
	Used() float64
	Close() error
}

func newReceiver(config *Config, set receiver.Settings) *ebpfReceiver {
	r := &ebpfReceiver{config: config, settings: set, backOff: usualBackOff}
	r.open = r.openPrograms
	return r
}

// Start implements component.Component. It loads and attaches the programs; the context is for that alone.
func (r *ebpfReceiver) Start(_ context.Context, host component.Host) (err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, r.release())
		}
	}()
	if r.telemetry, err = metadata.NewTelemetryBuilder(r.settings.TelemetrySettings); err != nil {
		return err
	}
	if err = r.observe(); err != nil {
		return err
	}
	if r.host, err = r.newHost(); err != nil {
		return err
	}
	if r.events, err = newEvents(r, host); err != nil {
		return err
	}
	r.started = pcommon.NewTimestampFromTime(time.Now())
	source, reader, err := r.attach()
	if err != nil {
		if r.config.ErrorMode != ErrorModeIgnore {
			return err
		}
		r.failed(err)
		none := newNoSource()
		source, reader = none, none
	}
	r.events.start(source, reader)
	r.mu.Lock()
	r.source = source
	r.mu.Unlock()
	if r.wantsLookout() {
		r.lookout = r.startLookout()
	}
	if err := r.failures.take(); err != nil {
		// All in one: the collector takes no status after a permanent error.
		componentstatus.ReportStatus(host, componentstatus.NewPermanentErrorEvent(err))
	}
	return nil
}

// attach loads and attaches the programs, and opens the reader of what they write.
func (r *ebpfReceiver) attach() (source, recordReader, error) {
	if err := r.examine(); err != nil {
		return nil, nil, err
	}
	source, err := r.open(program.Settings{
		Host:      r.host,
		RingSize:  uint32(r.config.RingBufferSize),
		Exclude:   r.exclude(),
		KeepGoing: r.config.ErrorMode == ErrorModeIgnore,
		Emit:      r.logs != nil,
		Report:    r.report,
	})
	// It takes some megabytes, and is for the loading of programs alone.
	r.host.BTF = nil
	if err != nil {
		return nil, nil, err
	}
	reader, err := source.Reader()
	if err != nil {
		source.Detach()
		return nil, nil, errors.Join(err, source.Close())
	}
	return source, reader, nil
}

// programSource is the source that reads this kernel.
type programSource struct{ *program.Set }

// Reader implements source.
func (s programSource) Reader() (recordReader, error) { return ring.New(s.Records()) }

func (r *ebpfReceiver) openPrograms(settings program.Settings) (source, error) {
	set, err := program.Open(r.selected(), settings)
	if err != nil {
		return nil, err
	}
	return programSource{set}, nil
}

// failed tells of an error that concerns all programs.
func (r *ebpfReceiver) failed(err error) {
	r.settings.Logger.Error("No program can run; error_mode is ignore, so the collector goes on without them", zap.Error(err))
	r.failures.add(err)
	for definition := range r.config.Programs.selected() {
		state := program.State{Program: definition.Name, Name: program.StateFailed, Err: err}
		r.states.Report(state)
		r.events.addState(state)
	}
}

// newHost returns what can be had on every host.
func (r *ebpfReceiver) newHost() (host *program.Host, err error) {
	host = &program.Host{
		Logger:     r.settings.Logger,
		Kernel:     kernel.ThisHost(),
		Symbols:    kernel.NewSymbols(),
		Events:     r.config.Events.EventsConfig,
		Histograms: r.config.Metrics.Histograms(),
		Histogram:  histogram.Kind(r.config.Histogram),
	}
	kept := containerFields(&r.config.ResourceAttributes)
	if host.Containers, err = kernel.OpenContainers(kept); err != nil {
		// Whoever needs the hierarchy fails for it; the others only lack the names of containers.
		r.settings.Logger.Warn("Containers can't be told apart", zap.Error(err))
		host.Containers = kernel.NewContainers(kept)
	}
	r.containers = host.Containers
	host.CgroupRoot = host.Containers.Mount()
	host.Clock, err = kernel.NewClock()
	return host, err
}

// containerFields are those whose resource attributes are on: containers that differ in none of them share a resource.
func containerFields(c *metadata.ResourceAttributesConfig) kernel.ContainerFields {
	return kernel.ContainerFields{
		ID: c.ContainerID.Enabled, PodUID: c.K8sPodUID.Enabled, CgroupPath: c.ProcessLinuxCgroup.Enabled,
	}
}

// examine looks whether programs can run on the host at all, and at what is to be known of its kernel.
func (r *ebpfReceiver) examine() error {
	if err := r.host.Kernel.Check(kernel.Requirements{BTFPath: r.config.BTFPath}); err != nil {
		return err
	}
	for _, limit := range r.host.Kernel.Limits() {
		r.settings.Logger.Warn("Not all of the host is seen", zap.String("reason", limit))
	}
	btf, err := kernel.LoadBTF(r.config.BTFPath)
	if err != nil {
		return err
	}
	r.host.BTF, r.host.Reasons = btf, btf.DropReasons()
	return nil
}

func (r *ebpfReceiver) selected() (selected []program.Selected) {
	for definition, config := range r.config.Programs.selected() {
		selected = append(selected, program.Selected{Definition: &definition, Config: config})
	}
	return selected
}

func (r *ebpfReceiver) exclude() program.Exclude {
	c := &r.config.Exclude
	return program.Exclude{
		Self:        c.Self,
		Loopback:    c.Loopback,
		CIDRs:       c.Prefixes(),
		Ports:       c.PortNumbers(),
		Executables: c.ExecutableNames(),
	}
}

// report tells of a program's state: in the collector's log, as an event and, of what fails at the start, in its status.
func (r *ebpfReceiver) report(s program.State) {
	fields := []zap.Field{zap.String("program", s.Program), zap.String("state", s.Name)}
	if s.Hook != "" {
		fields = append(fields, zap.String("hook", s.Hook))
	}
	if s.Err != nil {
		r.settings.Logger.Error("Program failed", append(fields, zap.Error(s.Err))...)
		if r.config.ErrorMode == ErrorModeIgnore {
			r.failures.add(s.Err)
		}
	} else {
		r.settings.Logger.Info("Program is "+s.Name, fields...)
	}
	r.states.Report(s)
	r.events.addState(s)
}

func (r *ebpfReceiver) scrape(context.Context) (pmetric.Metrics, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.source == nil {
		return pmetric.NewMetrics(), nil
	}
	config := metadata.NewDefaultMetricsBuilderConfig()
	config.Metrics = r.config.Metrics.Sums()
	config.ResourceAttributes = r.config.ResourceAttributes
	m := program.NewMetrics(r.started, pcommon.NewTimestampFromTime(time.Now()), r.host.Containers, func() *metadata.MetricsBuilder {
		return metadata.NewMetricsBuilder(config, r.settings, metadata.WithStartTime(r.started))
	})
	m.Kept = r.config.Metrics.Kept()
	r.states.Scrape(m)
	err := r.source.Scrape(m)
	if err != nil {
		// What the other programs gave is no worse for it.
		err = scrapererror.NewPartialScrapeError(err, 1)
	}
	return m.Emit(), err
}

// Shutdown implements component.Component: nothing new comes from the kernel, what has come is delivered within the
// context's deadline, and nothing is left in the kernel.
func (r *ebpfReceiver) Shutdown(ctx context.Context) error {
	r.mu.Lock()
	source := r.source
	r.source = nil
	r.mu.Unlock()
	if source == nil {
		return r.release()
	}
	r.lookout.end()
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, lastWords)
		defer cancel()
	}
	source.Detach()
	release := func() error { return errors.Join(r.events.reader.Close(), source.Close(), r.release()) }
	if err := r.events.stop(ctx); err != nil {
		// What the goroutine still uses can go only after it.
		go func() {
			<-r.events.done
			_ = release()
		}()
		return fmt.Errorf("deliver the last events: %w", err)
	}
	return release()
}

// release lets go of what needs no program.
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
