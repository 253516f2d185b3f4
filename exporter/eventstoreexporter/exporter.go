// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package eventstoreexporter

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/confignet"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/api"
	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/problems"
	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/query"
	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/store"
	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/victorialogs"
)

// eventStore is the exporter.
type eventStore struct {
	exporter.Logs // the queue before push

	config    *Config
	settings  exporter.Settings
	telemetry *metadata.TelemetryBuilder
	host      component.Host
	store     query.Store
	server    *http.Server
	serving   sync.WaitGroup
	stop      chan struct{}
	stopping  sync.Once
	// refusals count the events that found no room in the queue.
	refusals *refusals
	// failing says that the last batch was not stored.
	failing atomic.Bool
}

func newEventStore(config *Config, settings exporter.Settings) (*eventStore, error) {
	telemetry, err := metadata.NewTelemetryBuilder(settings.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	return &eventStore{config: config, settings: settings, telemetry: telemetry, stop: make(chan struct{}), refusals: newRefusals()}, nil
}

// ConsumeLogs implements consumer.Logs.
func (e *eventStore) ConsumeLogs(ctx context.Context, logs plog.Logs) error {
	e.refusals.offered(logs)
	err := e.Logs.ConsumeLogs(ctx, logs)
	if err != nil && !errors.Is(err, errNotStored) { // the store counts the others
		e.refusals.refuse(logs)
	}
	return err
}

func (e *eventStore) start(ctx context.Context, host component.Host) error {
	e.host = host
	opened, err := e.open(ctx)
	if err != nil {
		return err
	}
	e.store = counted{opened, e}
	if err := e.registerMetrics(); err != nil {
		return err
	}
	if err := e.serve(ctx); err != nil {
		return err
	}
	if !e.config.VictoriaLogs.HasValue() { // VictoriaLogs has no counts to keep up to date
		e.serving.Go(e.watch)
	}
	return nil
}

// watch keeps the counts of problems up to date.
func (e *eventStore) watch() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		<-e.stop
		cancel()
	}()
	problems.Watch(ctx, e.store)
}

// patience is how long a batch is retried while VictoriaLogs cannot be reached. New events wait in the queue.
const patience = time.Minute

func (e *eventStore) open(ctx context.Context) (query.Store, error) {
	if !e.config.VictoriaLogs.HasValue() {
		return store.Open(store.Settings{
			Directory: e.config.Directory, MaxSize: int64(e.config.MaxSize), MaxAge: e.config.MaxAge, Logger: e.settings.Logger,
		})
	}
	server := &e.config.VictoriaLogs.Get().ClientConfig
	client, err := server.ToClient(ctx, e.host.GetExtensions(), e.settings.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	return victorialogs.Open(victorialogs.Settings{Endpoint: server.Endpoint, Client: client, Logger: e.settings.Logger, Patience: patience}), nil
}

// serve starts the HTTP server.
func (e *eventStore) serve(ctx context.Context) error {
	guard := e.guard()
	handler := guard.Wrap(api.New(api.Settings{
		Store: e.store, Version: e.settings.BuildInfo.Version, Logger: e.settings.Logger, Done: e.stop, Directory: e.config.Directory,
	}))
	listeners, err := listen(ctx, &e.config.ServerConfig, e.settings.Logger)
	if err != nil {
		return err
	}
	address := listeners[0].Addr()
	e.server, err = e.config.ServerConfig.ToServer(ctx, e.host.GetExtensions(), e.settings.TelemetrySettings, handler)
	if err != nil {
		for _, listener := range listeners {
			err = errors.Join(err, listener.Close())
		}
		return err
	}
	if !asks(&e.config.ServerConfig) && !isLocal(address) {
		e.settings.Logger.Warn("Everybody who can reach this address can read all events: what processes connect to, what they execute and "+
			"which files they delete. Set endpoint to localhost:8080, or auth to an extension that asks for credentials.",
			zap.Stringer("address", address))
	}
	e.settings.Logger.Info("Serving events over HTTP", zap.Stringer("address", address))
	for _, listener := range listeners {
		e.serving.Go(func() {
			if err := e.server.Serve(listener); err != nil && !errors.Is(err, http.ErrServerClosed) {
				componentstatus.ReportStatus(e.host, componentstatus.NewFatalErrorEvent(err))
			}
		})
	}
	return nil
}

// asks reports whether clients need credentials: those of an auth extension, or a certificate.
func asks(server *confighttp.ServerConfig) bool {
	return server.Auth.HasValue() || server.TLS.HasValue() && server.TLS.Get().ClientCAFile != ""
}

// guard returns the checks of requests. Web pages cannot reach a unix socket and have no credentials. With TLS, the browser itself
// checks the server's name against the certificate.
func (e *eventStore) guard() api.Guard {
	server := &e.config.ServerConfig
	if asks(server) || server.TLS.HasValue() || server.NetAddr.Transport == confignet.TransportTypeUnix {
		return api.Guard{}
	}
	hosts := append([]string{}, e.config.AllowedHosts...)
	if name, err := os.Hostname(); err == nil {
		hosts = append(hosts, name)
	}
	if host, _, err := net.SplitHostPort(server.NetAddr.Endpoint); err == nil && host != "" {
		hosts = append(hosts, host)
	}
	return api.Guard{Hosts: hosts}
}

func isLocal(address net.Addr) bool {
	tcp, ok := address.(*net.TCPAddr)
	return !ok || tcp.IP.IsLoopback()
}

// errNotStored is the error for events that have left the queue.
var errNotStored = errors.New("events were not stored")

// push stores a batch.
func (e *eventStore) push(ctx context.Context, logs plog.Logs) error {
	err := e.store.Write(ctx, logs)
	if err != nil {
		e.failing.Store(true)
		componentstatus.ReportStatus(e.host, componentstatus.NewRecoverableErrorEvent(err))
		return consumererror.NewPermanent(errors.Join(errNotStored, err))
	}
	if e.failing.CompareAndSwap(true, false) {
		componentstatus.ReportStatus(e.host, componentstatus.NewEvent(componentstatus.StatusOK))
	}
	return nil
}

func (e *eventStore) shutdown(ctx context.Context) error {
	e.stopping.Do(func() { close(e.stop) })
	var errs []error
	if e.server != nil {
		errs = append(errs, e.server.Shutdown(ctx))
		e.serving.Wait()
	}
	e.telemetry.Shutdown()
	if e.store != nil {
		errs = append(errs, e.store.Close())
	}
	return errors.Join(errs...)
}

// counted is a store whose status includes the events that did not reach it.
type counted struct {
	query.Store
	exporter *eventStore
}

// queueFull is the cause of losses in the queue.
const queueFull = "queue_full"

func (c counted) Status() query.Status {
	status := c.Store.Status()
	_, status.Lost[queueFull] = c.exporter.refusals.counts()
	return status
}

// registerMetrics registers the callbacks of the exporter's metrics.
func (e *eventStore) registerMetrics() error {
	number := func(of func(query.Status) int64) metric.Int64Callback {
		return func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(of(e.store.Status()))
			return nil
		}
	}
	return errors.Join(
		e.telemetry.RegisterExporterEventStoreBytesCallback(number(func(s query.Status) int64 { return s.Bytes })),
		e.telemetry.RegisterExporterEventStoreEventsStoredCallback(number(func(s query.Status) int64 { return s.Stored })),
		e.telemetry.RegisterExporterEventStoreEventsEvictedCallback(number(func(s query.Status) int64 { return s.Evicted })),
		e.telemetry.RegisterExporterEventStoreEventsLostCallback(func(_ context.Context, o metric.Int64Observer) error {
			for cause, count := range e.store.Status().Lost {
				if cause == queueFull { // a counter cannot decrease, so it leaves out batches that may be retried
					count, _ = e.refusals.counts()
				}
				o.Observe(count, metric.WithAttributes(attribute.String("cause", cause)))
			}
			return nil
		}))
}
