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

// Deadline is the longest wait for an expected result.
var Deadline = testenv.Patiently(20 * time.Second)

// Receiver is a receiver with both pipelines behind it.
type Receiver struct {
	// Events is the end of the logs pipeline.
	Events *Events
	// Host has the component status.
	Host *Host
	// Log holds what the receiver has logged.
	Log *observer.ObservedLogs

	metrics    *metricsSink
	components []component.Component
	barrier    *barrier
	// down is whether it was shut down.
	down bool
}

// Option says how a receiver is made.
type Option func(*options)

type options struct{ logs, metrics, together bool }

// WithoutLogs leaves the logs pipeline out.
func WithoutLogs() Option { return func(o *options) { o.logs = false } }

// WithoutMetrics leaves the metrics pipeline out.
func WithoutMetrics() Option { return func(o *options) { o.metrics = false } }

// New makes a receiver from the YAML below `ebpf:` and does not start it. A configuration that is refused ends the test.
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

// Start makes and starts a receiver; it is shut down at the end of the test at the latest.
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

// Start starts the pipelines as the collector does, and stops those that run when one fails.
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

// ShutdownWithin shuts all pipelines down and gives them so much time.
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
		require.FailNowf(t, "events are missing", "%d of %d came; %s; these came:\n%s", len(found), n, r.losses(), r.sample(found))
	}
	return found
}

// Exactly waits until n events match, and checks that everything that has happened so far brings no more.
func (r *Receiver) Exactly(t testing.TB, n int, matches ...Match) []Event {
	t.Helper()
	r.Wait(t, n, matches...)
	r.Settle(t)
	found := r.Events.Matching(matches...)
	if len(found) != n {
		require.FailNowf(t, "too many events", "%d came instead of %d:\n%s", len(found), n, r.sample(found))
	}
	return found
}

// losses says which events the receiver itself has counted as lost: a busy host may have filled the ring.
func (r *Receiver) losses() string {
	if md, scrapes := r.metrics.latest(); scrapes > 0 {
		return fmt.Sprintf("ebpf.event.lost is %v", Scrape{md: md}.Series("ebpf.event.lost"))
	}
	return "ebpf.event.lost is not known"
}

// sample shows the events that a failed test is about, or the last of all of them.
func (r *Receiver) sample(events []Event) (text string) {
	if len(events) == 0 {
		events = r.Events.Matching()
	}
	for _, e := range events[max(0, len(events)-30):] {
		text += "  " + e.String() + "\n"
	}
	return text
}

// Settle waits until everything that the kernel has seen so far has passed through the pipeline.
func (r *Receiver) Settle(t testing.TB) {
	t.Helper()
	r.barrier.pass(t, r)
}

// Scrape returns a collection of the metrics that began after the call.
func (r *Receiver) Scrape(t testing.TB) Scrape {
	t.Helper()
	_, before := r.metrics.latest()
	var s Scrape
	// The next one may have begun already; the one after it has not.
	require.True(t, Eventually(func() bool {
		md, now := r.metrics.latest()
		s.md = md
		return now >= before+2
	}), "no metrics are collected")
	return s
}

// ScrapeUntil returns the first collection that the condition holds for, or the last one before the deadline.
func (r *Receiver) ScrapeUntil(t testing.TB, condition func(Scrape) bool) Scrape {
	t.Helper()
	var s Scrape
	Eventually(func() bool {
		s = r.Scrape(t)
		return condition(s)
	})
	return s
}

// Eventually waits until the condition holds, and reports whether it did within the deadline.
func Eventually(condition func() bool) bool { return Within(Deadline, condition) }

// Within waits until the condition holds, and reports whether it did within that time.
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

// BarrierPrefix is where the receiver's own probe connects in IPv4, so that a test which leaves addresses out can keep
// it in. It connects in IPv6 too, so that a test may leave one of them out.
var (
	BarrierPrefix  = netip.MustParsePrefix("198.18.255.1/32")
	barrierPrefix6 = netip.MustParsePrefix("fd18:ff::1/128")
)

// barrier is an agent whose connections mark a point in time.
type barrier struct {
	mu    sync.Mutex
	ns    *testnet.Namespace
	agent *traffic.Agent
	// port is the last one that was connected to.
	port uint16
}

func newBarrier(t testing.TB) *barrier {
	t.Helper()
	ns := testnet.NewNamespace(t)
	ns.AddAddress(t, "lo", BarrierPrefix)
	ns.AddAddress(t, "lo", barrierPrefix6)
	return &barrier{ns: ns, agent: traffic.Start(t, ns, traffic.Named("kt-barrier", "kt-barrier"))}
}

// pass connects to closed ports, which each of the network programs reports, and waits for such an event: then all
// earlier records have passed.
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
		"the receiver saw nothing of a refused connection")
}
