// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cilium/ebpf/btf"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadatatest"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

// fakeConfig returns the default configuration, with type information that is there on every machine.
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

// scene is a receiver whose kernel half is a fakeSource, with both of its pipelines.
type scene struct {
	t      *testing.T
	source *fakeSource
	next   *fakeConsumer
	host   *reportingHost
	log    *observer.ObservedLogs

	telemetry     *componenttest.Telemetry
	shared        *sharedComponent[*ebpfReceiver]
	logs, metrics receiver.Logs
	// settings are what the programs were opened with, opened how often that was.
	settings program.Settings
	opened   int
}

func newScene(t *testing.T, config *Config) *scene {
	t.Helper()
	s := &scene{
		t: t, source: newFakeSource(), next: new(fakeConsumer), host: newReportingHost(), telemetry: componenttest.NewTelemetry(),
	}
	set := metadatatest.NewSettings(s.telemetry)
	var core zapcore.Core
	core, s.log = observer.New(zap.DebugLevel)
	set.Logger = zap.New(core)

	f := &factory{receivers: newSharedComponents[*Config, *ebpfReceiver]()}
	var err error
	s.logs, err = f.createLogs(t.Context(), set, config, s.next)
	require.NoError(t, err)
	s.metrics, err = f.createMetrics(t.Context(), set, config, consumertest.NewNop())
	require.NoError(t, err)
	s.shared = f.shared(set, config)
	s.open(func(program.Settings) error { return nil })
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		_ = s.logs.Shutdown(ctx) // if the test has failed before it did
		require.NoError(t, s.telemetry.Shutdown(ctx))
	})
	return s
}

// open makes the receiver's programs open with what f does.
func (s *scene) open(f func(program.Settings) error) {
	s.shared.component.open = func(settings program.Settings) (source, error) {
		s.opened++
		s.settings = settings
		if err := f(settings); err != nil {
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

// shutdown shuts the receiver down and gives it so much time.
func (s *scene) shutdown(patience time.Duration) error {
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	return s.logs.Shutdown(ctx)
}

// pass lets time go by in a synctest bubble, until all that should have happened has happened.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// aWhile is enough for what was written to the ring to be delivered, with the default flush interval.
const aWhile = time.Second

// fakeConsumer keeps what it takes.
type fakeConsumer struct {
	mu      sync.Mutex
	taken   []plog.LogRecord
	batches []int
	calls   []time.Time
	// answer decides what becomes of a batch; nil takes it.
	answer func(context.Context) error
	// change, if there is one, changes what is offered.
	change func(plog.Logs)
}

var _ consumer.Logs = (*fakeConsumer)(nil)

// Capabilities implements consumer.Logs.
func (c *fakeConsumer) Capabilities() consumer.Capabilities {
	return consumer.Capabilities{MutatesData: c.change != nil}
}

// ConsumeLogs implements consumer.Logs.
func (c *fakeConsumer) ConsumeLogs(ctx context.Context, logs plog.Logs) error {
	c.mu.Lock()
	c.calls = append(c.calls, time.Now())
	answer := c.answer
	if c.change != nil {
		c.change(logs)
	}
	c.mu.Unlock()
	if answer != nil {
		if err := answer(ctx); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.batches = append(c.batches, logs.LogRecordCount())
	for _, rl := range logs.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, lr := range sl.LogRecords().All() {
				c.taken = append(c.taken, lr)
			}
		}
	}
	return nil
}

func (c *fakeConsumer) answerWith(answer func(context.Context) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer = answer
}

func (c *fakeConsumer) called() []time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls
}

// named returns the events of a name that were taken.
func (c *fakeConsumer) named(name string) (events []plog.LogRecord) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, lr := range c.taken {
		if lr.EventName() == name {
			events = append(events, lr)
		}
	}
	return events
}

// ids returns those of the records that were taken, in their order.
func (c *fakeConsumer) ids() (ids []int) {
	for _, lr := range c.named("ebpf.connection.connect") {
		value, _ := lr.Attributes().Get(receivertest.UniqueIDAttrName)
		id, err := strconv.Atoi(value.Str())
		if err != nil {
			panic(err)
		}
		ids = append(ids, id)
	}
	return ids
}

// upTo returns the numbers from 1 to n.
func upTo(n int) []int {
	numbers := make([]int, n)
	for i := range numbers {
		numbers[i] = i + 1
	}
	return numbers
}
