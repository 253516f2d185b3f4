// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package testreceiver

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

// Deadline is the limit for an expected result.
var Deadline = testenv.Patiently(20 * time.Second)

// Receiver is a receiver with a logs and a metrics pipeline.
type Receiver struct {
	// Events is the last consumer of the logs pipeline.
	Events *Events
	// Host has the component status.
	Host *Host
	// Log has the receiver's own log.
	Log *observer.ObservedLogs

	metrics    *metricsSink
	components []component.Component
	barrier    *barrier
	// down says that it was shut down.
	down bool
}

// Option changes how a receiver is made.
type Option func(*options)

type options struct{ logs, metrics, together bool }

// WithoutLogs makes no logs pipeline.
func WithoutLogs() Option { return func(o *options) { o.logs = false } }

// WithoutMetrics makes no metrics pipeline.
func WithoutMetrics() Option { return func(o *options) { o.metrics = false } }

// New makes a receiver from the YAML below `ebpf:` without starting it. An invalid configuration fails the test.
func New(t testing.TB, yaml string, opts ...Option) *Receiver {
	t.Helper()
	r, err := build(yaml, append(opts, func(o *options) { o.together = isTogether(t.Name()) })...)
	require.NoError(t, err, "making the receiver")
	return r
}

func build(yaml string, opts ...Option) (*Receiver, error) {
	o := options{logs: true, metrics: true}
	for _, option := range opts {
		option(&o)
	}
	factory := ebpfreceiver.NewFactory()
	config, added, err := load(factory, yaml, o.together)
	if err != nil {
		return nil, err
	}
	core, log := observer.New(zapcore.DebugLevel)
	settings := receivertest.NewNopSettings(factory.Type())
	settings.Logger = zap.New(core)
	r := &Receiver{Events: &Events{hidden: added}, Host: &Host{}, Log: log, metrics: &metricsSink{}}
	if o.logs {
		c, err := factory.CreateLogs(context.Background(), settings, config, r.Events)
		if err != nil {
			return nil, err
		}
		r.components = append(r.components, c)
	}
	if o.metrics {
		c, err := factory.CreateMetrics(context.Background(), settings, config, r.metrics)
		if err != nil {
			return nil, err
		}
		r.components = append(r.components, c)
	}
	return r, nil
}

// Start makes and starts a receiver. It is shut down at the end of the test at the latest.
func Start(t testing.TB, yaml string, opts ...Option) *Receiver {
	t.Helper()
	r := New(t, yaml, opts...)
	require.NoError(t, r.Start(), "starting the receiver")
	t.Cleanup(func() {
		if !r.down {
			require.NoError(t, r.Shutdown(), "shutting the receiver down")
		}
	})
	r.barrier = newBarrier(t)
	return r
}

// Start starts the pipelines as the collector does. If one fails, it stops those that it has started.
func (r *Receiver) Start() error {
	for _, c := range r.components {
		if err := c.Start(context.Background(), r.Host); err != nil {
			return errors.Join(err, r.Shutdown())
		}
	}
	return nil
}

// Shutdown shuts all pipelines down.
func (r *Receiver) Shutdown() error { return r.ShutdownWithin(Deadline) }

// ShutdownWithin shuts all pipelines down, with a time limit.
func (r *Receiver) ShutdownWithin(patience time.Duration) error {
	r.down = true
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var errs []error
	for _, c := range r.components {
		errs = append(errs, c.Shutdown(ctx))
	}
	return errors.Join(errs...)
}

// Wait waits until at least n events match and returns them.
func (r *Receiver) Wait(t testing.TB, n int, matches ...Match) []Event {
	t.Helper()
	var found []Event
	if !Eventually(func() bool {
		found = r.Events.Matching(matches...)
		return len(found) >= n
	}) {
		require.FailNowf(t, "events are missing", "received %d of %d; %s; received:\n%s", len(found), n, r.losses(), r.sample(found))
	}
	return found
}

// Exactly waits until n events match, and checks that the traffic so far causes no further ones.
func (r *Receiver) Exactly(t testing.TB, n int, matches ...Match) []Event {
	t.Helper()
	r.Wait(t, n, matches...)
	r.Settle(t)
	found := r.Events.Matching(matches...)
	if len(found) != n {
		require.FailNowf(t, "too many events", "received %d instead of %d:\n%s", len(found), n, r.sample(found))
	}
	return found
}

// losses describes the losses that the receiver counted: on a busy host the ring may have overflowed.
func (r *Receiver) losses() string {
	if md, scrapes := r.metrics.latest(); scrapes > 0 {
		return fmt.Sprintf("ebpf.event.lost is %v", Scrape{md: md}.Series("ebpf.event.lost"))
	}
	return "ebpf.event.lost is unknown"
}

// sample formats the given events, or the latest events if none are given.
func (r *Receiver) sample(events []Event) (text string) {
	if len(events) == 0 {
		events = r.Events.Matching()
	}
	for _, e := range events[max(0, len(events)-30):] {
		text += "  " + e.String() + "\n"
	}
	return text
}

// Settle waits until all records that the kernel has written so far have passed through the pipeline.
func (r *Receiver) Settle(t testing.TB) {
	t.Helper()
	r.barrier.pass(t, r)
}

// Scrape returns a collection of the metrics that begins after the call.
func (r *Receiver) Scrape(t testing.TB) Scrape {
	t.Helper()
	_, before := r.metrics.latest()
	var s Scrape
	// The next collection may have begun already. The one after it has not.
	require.True(t, Eventually(func() bool {
		md, now := r.metrics.latest()
		s.md = md
		return now >= before+2
	}), "no metrics were collected")
	return s
}

// ScrapeUntil returns the first collection that satisfies the condition, or the last one before the deadline.
func (r *Receiver) ScrapeUntil(t testing.TB, condition func(Scrape) bool) Scrape {
	t.Helper()
	var s Scrape
	Eventually(func() bool {
		s = r.Scrape(t)
		return condition(s)
	})
	return s
}

// Eventually waits until the condition is true, and reports whether that was before the deadline.
func Eventually(condition func() bool) bool { return Within(Deadline, condition) }

// Within waits until the condition is true, and reports whether that was in time.
func Within(patience time.Duration, condition func() bool) bool {
	for end := time.Now().Add(patience); ; time.Sleep(2 * time.Millisecond) {
		if condition() {
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
}

// BarrierPrefix has the IPv4 destination of the barrier, so that a test that excludes addresses can keep it. The barrier also
// connects over IPv6, so that a test may exclude one of the two.
var (
	BarrierPrefix  = netip.MustParsePrefix("198.18.255.1/32")
	barrierPrefix6 = netip.MustParsePrefix("fd18:ff::1/128")
)

// barrier is an agent whose connections mark a point in the stream of events.
type barrier struct {
	mu    sync.Mutex
	ns    *testnet.Namespace
	agent *traffic.Agent
	// port is the last destination port.
	port uint16
}

func newBarrier(t testing.TB) *barrier {
	t.Helper()
	ns := testnet.NewNamespace(t)
	ns.AddAddress(t, "lo", BarrierPrefix)
	ns.AddAddress(t, "lo", barrierPrefix6)
	return &barrier{ns: ns, agent: traffic.Start(t, ns, traffic.Named("kt-barrier", "kt-barrier"))}
}

// pass connects to a closed port, which each of the network programs reports, and waits for the event. Then all earlier
// records have passed.
func (b *barrier) pass(t testing.TB, r *Receiver) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.port++
	for _, prefix := range []netip.Prefix{BarrierPrefix, barrierPrefix6} {
		b.agent.Close(b.agent.Connect(traffic.Addr(prefix.Addr(), b.port)).FD)
	}
	seen := func(e Event) bool {
		return e.Attributes["server.port"] == int64(b.port) || e.Attributes["destination.port"] == int64(b.port)
	}
	require.True(t, Eventually(func() bool { return len(r.Events.Matching(InNamespace(b.ns), seen)) > 0 }),
		"the receiver reported no refused connection")
}
