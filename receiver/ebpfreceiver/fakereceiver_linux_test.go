// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/cilium/ebpf/btf"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/receiver"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/delivery"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/delivery/deliverytest"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadatatest"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

// fakeConfig returns the default configuration with a BTF file that works on every machine.
func fakeConfig(t testing.TB) *Config {
	t.Helper()
	builder, err := btf.NewBuilder([]btf.Type{&btf.Int{Name: "int", Size: 4}}, nil)
	require.NoError(t, err)
	raw, err := builder.Marshal(nil, btf.KernelMarshalOptions())
	require.NoError(t, err)
	config := createDefaultConfig().(*Config)
	config.BTFPath = filepath.Join(t.TempDir(), "kernel.btf")
	require.NoError(t, os.WriteFile(config.BTFPath, raw, 0o600))
	return config
}

// scene is a receiver with both pipelines. Its programs are a fakeSource.
type scene struct {
	t      *testing.T
	source *fakeSource
	next   *deliverytest.Consumer
	host   *deliverytest.Host
	log    *observer.ObservedLogs

	telemetry     *componenttest.Telemetry
	shared        *sharedComponent[*ebpfReceiver]
	logs, metrics receiver.Logs
	published     consumertest.MetricsSink
	// options are the arguments of opening the programs. opened is how often they were opened.
	options program.Options
	opened  int
}

func newScene(t *testing.T, config *Config) *scene {
	t.Helper()
	s := &scene{
		t: t, source: newFakeSource(), next: new(deliverytest.Consumer), host: deliverytest.NewHost(), telemetry: componenttest.NewTelemetry(),
	}
	set := metadatatest.NewSettings(s.telemetry)
	var core zapcore.Core
	core, s.log = observer.New(zap.DebugLevel)
	set.Logger = zap.New(core)

	f := &factory{receivers: newSharedComponents[*Config, *ebpfReceiver]()}
	var err error
	s.logs, err = f.createLogs(t.Context(), set, config, s.next)
	require.NoError(t, err)
	s.metrics, err = f.createMetrics(t.Context(), set, config, &s.published)
	require.NoError(t, err)
	s.shared = f.shared(set, config)
	s.open(func(program.Options) error { return nil })
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		_ = s.logs.Shutdown(ctx) // in case the test failed before its own shutdown
		require.NoError(t, s.telemetry.Shutdown(ctx))
	})
	return s
}

// open replaces how the receiver's programs are opened.
func (s *scene) open(f func(program.Options) error) {
	s.shared.component.loadPrograms = func(options program.Options) (source, error) {
		s.opened++
		s.options = options
		if err := f(options); err != nil {
			return nil, err
		}
		return s.source, nil
	}
}

// start starts the logs pipeline.
func (s *scene) start() {
	s.t.Helper()
	require.NoError(s.t, s.logs.Start(s.t.Context(), s.host))
}

// shutdown shuts the receiver down with a time limit.
func (s *scene) shutdown(patience time.Duration) error {
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	return s.logs.Shutdown(ctx)
}

// fakeSource is a source without a kernel.
type fakeSource struct {
	*deliverytest.Source
	// Results of the methods with these names.
	readerErr, scrapeErr, closeErr error
	// Callbacks of the methods with these names.
	onScrape func(*metrics.Builder)
	onDetach func()
}

var _ source = (*fakeSource)(nil)

func newFakeSource() *fakeSource { return &fakeSource{Source: deliverytest.NewSource()} }

// Reader implements source.
func (s *fakeSource) Reader() (delivery.Reader, error) {
	if s.readerErr != nil {
		return nil, s.readerErr
	}
	return deliverytest.NewReader(s.Source), nil
}

// Scrape implements source.
func (s *fakeSource) Scrape(b *metrics.Builder) error {
	if s.onScrape != nil {
		s.onScrape(b)
	}
	return s.scrapeErr
}

// Usages implements source.
func (*fakeSource) Usages() ([]program.Usage, error) { return nil, nil }

func (*fakeSource) SetTiming(bool) error { return nil }

// Levels implements source.
func (*fakeSource) Levels() ([]string, map[string][]program.Level) { return nil, nil }

// SetLevel implements source.
func (*fakeSource) SetLevel(string, program.Level, string) error { return nil }

// Open implements source.
func (*fakeSource) Open(string, bool) error { return nil }

// Hold implements source.
func (*fakeSource) Hold() error { return nil }

// Attached implements source.
func (*fakeSource) Attached() int { return 3 }

// Detach implements source.
func (s *fakeSource) Detach() {
	s.Note("detach")
	if s.onDetach != nil {
		s.onDetach()
	}
}

// Close implements source.
func (s *fakeSource) Close() error {
	s.Note("close")
	return s.closeErr
}
