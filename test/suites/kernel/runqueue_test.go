// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

const (
	stallEvent   = "ebpf.runqueue.stall"
	runqueueTime = "ebpf.runqueue.duration" // the metric, and the attribute
	onlyRunqueue = "programs: {runqueue: {}}"
)

func init() { counts("runqueue", forContainer{metrics: []string{runqueueTime}}) }

// newWaiting starts an agent in its own container, so that all waits of the container are the agent's.
func newWaiting(t *testing.T, options ...traffic.Option) (*traffic.Agent, *testhost.Cgroup) {
	t.Helper()
	container := testhost.NewContainer(t)
	options = append(options, traffic.In(container), traffic.Named("kernel-test-waiting", "waiting-main"))
	return traffic.Start(t, testnet.NewNamespace(t), options...), container
}

// waited returns the waits of a container according to the metric.
func waited(m testreceiver.Scrape, container *testhost.Cgroup) (w traffic.Waits) {
	if p, ok := m.In(container).Histogram(runqueueTime, testreceiver.Attributes{}); ok {
		w = traffic.Waits{Count: int(p.Count()), Time: time.Duration(math.Round(p.Sum() * 1e9))}
	}
	return w
}

// account compares the metric of a container with the kernel's schedstat of its only process.
type account struct {
	r         *testreceiver.Receiver
	a         *traffic.Agent
	container *testhost.Cgroup
	// truth and metric are the values when the account was opened.
	truth, metric traffic.Waits
}

// openAccount stops the agent and reads both.
func openAccount(t *testing.T, r *testreceiver.Receiver, a *traffic.Agent, container *testhost.Cgroup) *account {
	t.Helper()
	truth := a.Stop()
	return &account{r: r, a: a, container: container, truth: truth, metric: waited(r.Scrape(t), container)}
}

// compare makes the agent wait at least that many times, and checks that all waiting time since the account was opened is
// counted. Some sandboxes hide a few context switches from programs. The next task then has a longer wait later. So a few
// waits may be missing, but no time.
func (c *account) compare(t *testing.T, count int, do func()) {
	t.Helper()
	before := c.truth
	var truth, metric traffic.Waits
	for range 5 {
		c.a.Continue()
		do()
		now := c.a.Stop()
		require.GreaterOrEqual(t, now.Count-before.Count, count)
		truth, metric, before = now.Minus(c.truth), waited(c.r.Scrape(t), c.container).Minus(c.metric), now
		if truth == metric {
			return
		}
		t.Logf("counted %+v of %+v", metric, truth)
		if truth.Time == metric.Time && metric.Count <= truth.Count && metric.Count >= truth.Count*99/100 {
			return
		}
	}
	assert.Equal(t, truth, metric)
}

// The metric equals the kernel's own account to the nanosecond, with all kinds of waits: of new threads, and of threads
// that are woken, preempted, or moved to another CPU while they wait.
func TestRunqueueIsTheKernelsAccount(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyRunqueue)
	a, container := newWaiting(t)
	c := openAccount(t, r, a, container)
	t.Run("wake-ups", func(t *testing.T) { c.compare(t, 2*5000, func() { a.TakeTurns(0, 5000) }) })
	t.Run("wake-ups on another CPU", func(t *testing.T) { c.compare(t, 2*1000, func() { a.TakeTurns(1, 1000) }) })
	t.Run("new threads", func(t *testing.T) { c.compare(t, 10, func() { a.StartThreads(50) }) })
	t.Run("preemption and moves", func(t *testing.T) { c.compare(t, 500, func() { a.Compete(6, 500) }) })

	// Another container has its own metric.
	before := waited(r.Scrape(t), container)
	b, other := newWaiting(t)
	openAccount(t, r, b, other).compare(t, 2*100, func() { b.TakeTurns(0, 100) })
	after := r.Scrape(t)
	assert.Equal(t, before, waited(after, container))
	assert.Equal(t, []map[string]any{resource(other)}, after.In(other).Resources(runqueueTime))
	assert.Empty(t, lost(after, "runqueue"))
}

// Processes older than the receiver are counted from its start on.
func TestRunqueueOfOlderProcess(t *testing.T) {
	testnet.Require(t)
	a, container := newWaiting(t)
	a.TakeTurns(0, 2000)
	a.Compete(4, 20)
	a.Stop()
	r := testreceiver.Start(t, onlyRunqueue)
	require.Zero(t, waited(r.Scrape(t), container))
	a.Continue() // so that each thread runs once
	openAccount(t, r, a, container).compare(t, 600, func() {
		a.TakeTurns(0, 300)
		a.Compete(4, 50)
	})
}

// Tasks whose ids share a slot on the BPF side do not share their counts.
func TestRunqueueOfTasksThatShareASlot(t *testing.T) {
	testnet.Require(t)
	const slots = 16384
	r := testreceiver.Start(t, onlyRunqueue)
	a, container := newWaiting(t)
	testhost.NextPID(t, (a.PID+slots)%(2*slots))
	b, other := newWaiting(t)
	for b.PID%slots != a.PID%slots { // another process got the id
		b.Kill()
		testhost.NextPID(t, (a.PID+slots)%(2*slots))
		b, other = newWaiting(t)
	}
	first, second := openAccount(t, r, a, container), openAccount(t, r, b, other)
	compete := func(c *account) {
		t.Run(fmt.Sprint(c.a.PID), func(t *testing.T) { c.compare(t, 100, func() { c.a.Compete(4, 300) }) })
	}
	compete(first)
	compete(second)
	compete(first)
	a.Kill()
	compete(second)
}

// A runnable thread that waits while another one keeps its CPU is a stall, with every field.
func TestRunqueueStall(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyRunqueue)
	a, container := newWaiting(t)
	hog := traffic.Start(t, testnet.NewNamespace(t), traffic.Named("kernel-test-hog", "hog-main"))
	for cpu := range 2 {
		// Both must be ready before it begins.
		start := time.Now().Add(testenv.Patiently(time.Second))
		at := start.Add(50 * time.Millisecond)
		end := at.Add(300 * time.Millisecond)
		occupied := make(chan error)
		go func() { occupied <- hog.OnThread("hog-thread").Occupy(cpu, start, end) }()
		woken := a.OnThread("waiting-thread").WakeUp(cpu, at)
		require.NoError(t, <-occupied)

		// Both may have waited before that.
		since := func(e testreceiver.Event) bool { return e.Time.After(at) }
		e := r.Wait(t, 1, testreceiver.Named(stallEvent), testreceiver.With("thread.name", "waiting-thread"), since)[0]
		check(t, e, stallEvent, plog.SeverityNumberWarn, attributes{
			"process.pid": int64(a.PID), "process.executable.name": a.Executable, "process.user.id": int64(a.UID),
			"thread.name": "waiting-thread", "process.linux.cgroup": "0::" + container.Path, "cpu.logical_number": int64(cpu),
		}, runqueueTime)
		assert.Equal(t, resource(container), e.Resource)
		assert.Contains(t, e.Body, "waiting-thread")
		within(t, e, end, woken.At)
		assert.Empty(t, r.Events.Matching(testreceiver.Named(stallEvent), testreceiver.With("thread.name", "hog-thread"), since), "it did not wait")
		duration := seconds(t, e, runqueueTime)
		if woken.Waits.Count == 1 {
			assert.Equal(t, woken.Waits.Time, duration.Round(time.Nanosecond))
		}
		assert.InDelta(t, woken.Waits.Time, duration, float64(testenv.Patiently(20*time.Millisecond)), "of %d waits", woken.Waits.Count)
		assert.LessOrEqual(t, duration, woken.At.Sub(at)+clockTolerance, "it may have been woken late, but not early")
	}
}

// Waits longer than the threshold are events. Others are not.
func TestRunqueueThreshold(t *testing.T) {
	testnet.Require(t)
	const bound = 10 * time.Microsecond
	r := testreceiver.Start(t, "programs: {runqueue: {threshold: 10us, event_limit: 1000000}}")
	a, container := newWaiting(t, traffic.AsUser(clientUser))
	a.TakeTurns(0, 1000)
	a.Compete(6, 100)
	a.Stop()
	m := r.Scrape(t)
	require.Empty(t, lost(m, "runqueue"))
	p, ok := m.In(container).Histogram(runqueueTime, testreceiver.Attributes{})
	require.True(t, ok)
	longer := int(p.Count())
	for i, upper := range p.ExplicitBounds().AsRaw() {
		if upper <= bound.Seconds() {
			longer -= int(p.BucketCounts().At(i))
		}
	}
	require.Positive(t, longer)
	events := r.Wait(t, longer, testreceiver.Named(stallEvent), inContainer(container))
	assert.Len(t, events, longer)
	for _, e := range events {
		assert.Equal(t, int64(a.PID), e.Attributes["process.pid"])
		if e.Attributes["process.executable.name"] == a.Executable { // before, it was another executable
			assert.Equal(t, int64(a.UID), e.Attributes["process.user.id"])
		}
		assert.Greater(t, seconds(t, e, runqueueTime), bound)
	}
}

// Without events, waits are in the metric. Excluded ones are not.
func TestRunqueueMetricsOnly(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, "exclude: {executables: [kernel-test-left-out]}\nprograms: {runqueue: {events: false, threshold: 1us}}")
	a, container := newWaiting(t)
	outside := testhost.NewContainer(t)
	left := traffic.Start(t, testnet.NewNamespace(t), traffic.In(outside), traffic.Named("kernel-test-left-out", "main"))
	before := waited(r.Scrape(t), outside)
	left.TakeTurns(0, 500)
	openAccount(t, r, a, container).compare(t, 2*500, func() { a.TakeTurns(0, 500) })
	assert.Equal(t, before, waited(r.Scrape(t), outside), "waits before it was that executable")
	assert.Empty(t, r.Events.Matching(testreceiver.Named(stallEvent)))
}

// With more cgroups than entries in the map, the rest is counted in the overflow series.
func TestRunqueueOverflow(t *testing.T) {
	testnet.Require(t)
	const room, count = 1024, 1200
	r := testreceiver.Start(t, "programs: {runqueue: {events: false}}")
	a := traffic.Start(t, testnet.NewNamespace(t)) // as root, which may move between cgroups
	a.RestInCgroups(testhost.NewCgroup(t), count)
	overflow := 0
	m := r.ScrapeUntil(t, func(m testreceiver.Scrape) bool {
		p, ok := m.Histogram(runqueueTime, testreceiver.Attributes{"otel.metric.overflow": "true"})
		if ok {
			overflow = int(p.Count())
		}
		return overflow > 0 && lost(m, "runqueue")["map_full"] == overflow
	})
	assert.Equal(t, map[string]int{"map_full": overflow}, lost(m, "runqueue"))
	assert.GreaterOrEqual(t, overflow, count-room)
}

func init() { inMasses["runqueue"] = massesOf{settings: "{}", check: masses.checkRunqueue} }

func (m masses) checkRunqueue(t *testing.T) {
	assert.GreaterOrEqual(t, waited(m.r.Scrape(t), m.container).Count, m.count)
	a, other := newWaiting(t)
	openAccount(t, m.r, a, other).compare(t, 2*1000, func() {
		a.TakeTurns(0, 1000)
		a.Compete(6, 200)
	})
	assert.Empty(t, lost(m.r.Scrape(t), "runqueue"))
}
