// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"fmt"
	"maps"
	"os"
	"strconv"
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
	openMetric         = "ebpf.file_descriptor.count"
	operationsMetric   = "ebpf.file_descriptor.operations"
	leakEvent          = "ebpf.file_descriptor.leak"
	kindKey            = "ebpf.file_descriptor.kind"
	onlyFileDescriptor = "programs: {file_descriptor: {processes: 10000}}"
)

func init() { counts("file_descriptor", forContainer{metrics: []string{openMetric}}) }

// openOf returns the open descriptors of a process by kind, from a scrape.
func openOf(t testing.TB, m testreceiver.Scrape, pid int, executable string) map[string]int {
	t.Helper()
	open := map[string]int{}
	for _, s := range m.Series(openMetric) {
		if s.Attributes["process.pid"] != strconv.Itoa(pid) {
			continue
		}
		require.Len(t, s.Attributes, 3, "%v", s)
		assert.Equal(t, executable, s.Attributes["process.executable.name"])
		require.NotContains(t, open, s.Attributes[kindKey], "duplicate series")
		open[s.Attributes[kindKey]] = s.Value
	}
	return open
}

// The count of each kind equals that in /proc, after opens and closes.
func TestFileDescriptorKinds(t *testing.T) {
	testnet.Require(t)
	container := testhost.NewContainer(t)
	a := traffic.Start(t, testnet.NewNamespace(t), traffic.In(container), traffic.Named("kernel-test-holder", "main"))
	r := testreceiver.Start(t, onlyFileDescriptor)
	same := func(when string) {
		t.Helper()
		m := r.Scrape(t)
		assert.Equal(t, traffic.OpenDescriptorsOf(t, a.PID, 0), openOf(t, m.In(container), a.PID, a.Executable), when)
		assert.Equal(t, []map[string]any{resource(container)}, m.In(container).Resources(openMetric))
	}
	same("at first")
	count := 3
	for _, kind := range []string{
		"file", "place", "memfd", "directory", "device", "socket", "pipe", "epoll", "eventfd", "timerfd", "signalfd", "inotify", "pidfd",
		"bpf", "perf_event", "io_uring", "other",
	} {
		before := openOf(t, r.Scrape(t), a.PID, a.Executable)[traffic.DescriptorKinds[kind]]
		if err := a.TryOpenDescriptors(kind, count); err != nil {
			t.Logf("not here: %v", err)
			continue
		}
		want := count
		if kind == "pipe" {
			want *= 2
		}
		assert.Equal(t, before+want, openOf(t, r.Scrape(t), a.PID, a.Executable)[traffic.DescriptorKinds[kind]], kind)
		count++
	}
	same("with all kinds")
	a.DupDescriptors("eventfd", 1000)
	same("with duplicates")
	a.StartThreads(40)
	same("with threads")
	child := a.Crowd(t, "kernel-test-child", "timerfd", 1)[0]
	require.Greater(t, openOf(t, r.Scrape(t), child, "kernel-test-child")["timerfd"], 3, "inherited descriptors")
	assert.True(t, testreceiver.Eventually(func() bool { // the program starts
		return maps.Equal(traffic.OpenDescriptorsOf(t, child, 0), openOf(t, r.Scrape(t), child, "kernel-test-child"))
	}))
	a.CloseDescriptors("eventfd", 700)
	a.CloseDescriptors("pipe", 3)
	a.CloseDescriptors("file", 2)
	same("after closes")
	a.Exit()
	assert.Empty(t, openOf(t, r.Scrape(t), a.PID, a.Executable), "the process has ended")
}

// Threads share their process's table. If a thread has its own table, its descriptors are added to those of the process.
func TestFileDescriptorThreads(t *testing.T) {
	testnet.Require(t)
	a := traffic.Start(t, testnet.NewNamespace(t), traffic.Named("kernel-test-holder", "main"))
	r := testreceiver.Start(t, onlyFileDescriptor)
	a.OpenDescriptors("inotify", 10)
	a.StartThreads(40)
	assert.Equal(t, traffic.OpenDescriptorsOf(t, a.PID, 0), openOf(t, r.Scrape(t), a.PID, a.Executable))

	threads := a.Unshare("signalfd", 4)
	want := traffic.OpenDescriptorsOf(t, a.PID, 0)
	for _, thread := range threads {
		for kind, n := range traffic.OpenDescriptorsOf(t, a.PID, thread) {
			want[kind] += n
		}
	}
	require.Equal(t, 30, want["inotify"], "three copies")
	require.Equal(t, 6, want["signalfd"])
	for range 3 {
		assert.Equal(t, want, openOf(t, r.Scrape(t), a.PID, a.Executable))
	}
}

// A process that lives on without its first thread is counted once.
func TestFileDescriptorZombie(t *testing.T) {
	testnet.Require(t)
	a := traffic.Start(t, testnet.NewNamespace(t), traffic.Named("kernel-test-holder", "main"))
	r := testreceiver.Start(t, onlyFileDescriptor)
	a.OpenDescriptors("inotify", 10)
	a.StartThreads(40)
	want := openOf(t, r.Scrape(t), a.PID, a.Executable)
	require.Equal(t, 10, want["inotify"])
	a.EndFirstThread()
	require.True(t, testreceiver.Eventually(func() bool {
		open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", a.PID))
		return err != nil || len(open) == 0
	}))
	r.Scrape(t) // updates the snapshot
	assert.Equal(t, want, openOf(t, r.Scrape(t), a.PID, a.Executable))
}

// A leak is reported once, with kind and rate, even for a process with few descriptors. A number that goes up and down is no
// leak, and neither is growth that stopped early.
func TestFileDescriptorLeak(t *testing.T) {
	testnet.Require(t)
	const intervals = 6
	interval := testenv.Patiently(100 * time.Millisecond)
	container, ns := testhost.NewContainer(t), testnet.NewNamespace(t)
	leaking := traffic.Start(t, ns, traffic.In(container), traffic.Named("kernel-test-leaking", "leak-main"), traffic.AsUser(clientUser))
	sawtooth := traffic.Start(t, ns, traffic.In(container), traffic.Named("kernel-test-sawtooth", "main"))
	starting := traffic.Start(t, ns, traffic.In(container), traffic.Named("kernel-test-starting", "main"))
	r := testreceiver.Start(t, fmt.Sprintf("collection_interval: %s\nprograms: {file_descriptor: {processes: 1, leak_intervals: %d}}", interval, intervals))
	require.Empty(t, openOf(t, r.Scrape(t), leaking.PID, leaking.Executable), "it is not among the top processes")
	begin := time.Now()
	done := make(chan struct{})
	go func() {
		defer close(done)
		// Grow for three intervals, then drop to the start.
		for range 8 {
			sawtooth.Grow(traffic.Grow{Kind: "eventfd", Steps: 3, Open: 20, Every: interval})
			sawtooth.CloseDescriptors("eventfd", 60)
		}
		starting.Grow(traffic.Grow{Kind: "socket", Steps: intervals - 3, Open: 50, Every: interval})
	}()
	// Slow growth: an interval without growth does not end it. Open one descriptor at a time, so that no snapshot is taken in
	// the middle of a step.
	const steps = 2 * intervals
	took := leaking.Grow(traffic.Grow{Kind: "timerfd", Steps: steps, Open: 1, Every: 2 * interval})
	<-done
	end := time.Now()
	r.Scrape(t)

	events := r.Events.Matching(testreceiver.Named(leakEvent), inContainer(container))
	require.Len(t, events, 1)
	e := events[0]
	within(t, e, begin, end)
	growth, ok := e.Attributes["ebpf.file_descriptor.leak.growth"].(int64)
	require.True(t, ok)
	assert.GreaterOrEqual(t, growth, int64(intervals))
	assert.LessOrEqual(t, growth, int64(steps))
	rate := float64(steps) / took.Seconds()
	assert.InDelta(t, rate, e.Attributes["ebpf.file_descriptor.leak.rate"], rate/3)
	assert.InDelta(t, float64(growth)/rate, e.Attributes["ebpf.file_descriptor.leak.duration"], float64(growth)/rate/3)
	assert.Equal(t, resource(container), e.Resource)
	check(t, e, leakEvent, plog.SeverityNumberWarn, attributes{
		"process.pid": int64(leaking.PID), "process.executable.name": leaking.Executable, "process.user.id": int64(leaking.UID),
		"thread.name": leaking.Thread, "process.linux.cgroup": "0::" + container.Path,
		kindKey: "timerfd", "ebpf.file_descriptor.count": growth, "ebpf.file_descriptor.leak.growth": growth,
	}, "ebpf.file_descriptor.leak.rate", "ebpf.file_descriptor.leak.duration")
	assert.Contains(t, e.Body, "timerfd")

	// After a decrease, further growth is a new leak.
	leaking.CloseDescriptors("timerfd", 1)
	r.Scrape(t)
	leaking.Grow(traffic.Grow{Kind: "timerfd", Steps: steps, Open: 1, Every: 2 * interval})
	r.Scrape(t)
	assert.Len(t, r.Events.Matching(testreceiver.Named(leakEvent), inContainer(container)), 2)
}

// A leak is reported even if other descriptors come and go. Without the leak, coming and going is not reported.
func TestFileDescriptorLeakInABusyServer(t *testing.T) {
	testnet.Require(t)
	const intervals = 4
	interval := testenv.Patiently(200 * time.Millisecond)
	container, ns := testhost.NewContainer(t), testnet.NewNamespace(t)
	leaking := traffic.Start(t, ns, traffic.In(container), traffic.Named("kernel-test-leaking", "main"))
	busy := traffic.Start(t, ns, traffic.In(container), traffic.Named("kernel-test-busy", "main"))
	r := testreceiver.Start(t, fmt.Sprintf("collection_interval: %s\nprograms: {file_descriptor: {leak_intervals: %d}}", interval, intervals))
	serve := func(a *traffic.Agent, leaked int) {
		for range 5 * intervals {
			a.OpenDescriptors("socket", 30+leaked)
			time.Sleep(interval)
			a.CloseDescriptors("socket", 30)
			time.Sleep(interval)
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		serve(busy, 0)
	}()
	serve(leaking, 5)
	<-done
	r.Scrape(t)
	leaks := r.Events.Matching(testreceiver.Named(leakEvent), inContainer(container))
	require.NotEmpty(t, leaks)
	for _, e := range leaks {
		assert.Equal(t, int64(leaking.PID), e.Attributes["process.pid"])
		assert.Equal(t, "socket", e.Attributes[kindKey])
		growth, _ := e.Attributes["ebpf.file_descriptor.leak.growth"].(int64)
		assert.GreaterOrEqual(t, growth, int64(intervals))
		assert.LessOrEqual(t, growth, int64(5*5*intervals))
	}
}

// Events over the limit are counted as lost: events and losses add up to all leaks.
func TestFileDescriptorLeakLimit(t *testing.T) {
	testnet.Require(t)
	interval := testenv.Patiently(50 * time.Millisecond)
	a := traffic.Start(t, testnet.NewNamespace(t), traffic.Named("kernel-test-leaking", "main"))
	r := testreceiver.Start(t, fmt.Sprintf("collection_interval: %s\nprograms: {file_descriptor: {processes: 10000, leak_intervals: 4, event_limit: 2}}", interval))
	kinds := []string{"file", "directory", "device", "socket", "epoll", "eventfd", "timerfd", "signalfd", "inotify", "pidfd"}
	for range 12 {
		a.Grow(traffic.Grow{Kind: kinds[0], Steps: 1, Open: 1, Every: interval})
		for _, kind := range kinds[1:] {
			a.OpenDescriptors(kind, 1)
		}
	}
	all := func(m testreceiver.Scrape) int { // other processes may leak, too
		return m.Int("ebpf.event.delivered", testreceiver.Attributes{"ebpf.program.name": "file_descriptor"}) + lost(m, "file_descriptor")["rate_limit"]
	}
	m := r.ScrapeUntil(t, func(m testreceiver.Scrape) bool { return all(m) >= len(kinds) })
	assert.GreaterOrEqual(t, all(m), len(kinds))
	assert.Positive(t, lost(m, "file_descriptor")["rate_limit"])
	assert.Len(t, r.Events.Matching(testreceiver.Named(leakEvent)), m.Int("ebpf.event.delivered", testreceiver.Attributes{"ebpf.program.name": "file_descriptor"}))
}

// Leaks are detected without a metrics pipeline. With events off, none are reported.
func TestFileDescriptorLeakWithoutMetrics(t *testing.T) {
	testnet.Require(t)
	a := traffic.Start(t, testnet.NewNamespace(t), traffic.Named("kernel-test-leaking", "main"))
	interval := testenv.Patiently(50 * time.Millisecond)
	for _, events := range []bool{true, false} {
		r := testreceiver.Start(t, fmt.Sprintf("collection_interval: %s\nprograms: {file_descriptor: {processes: 10000, leak_intervals: 3, events: %t}, connection: {}}",
			interval, events), testreceiver.WithoutMetrics())
		a.Grow(traffic.Grow{Kind: "epoll", Steps: 12, Open: 1, Every: interval})
		r.Settle(t)
		leaks := len(r.Events.Matching(testreceiver.Named(leakEvent), testreceiver.OfProcess(a.PID)))
		assert.Equal(t, events, leaks == 1, "%d leaks", leaks)
		require.NoError(t, r.Shutdown())
	}
}

// The processes with the most descriptors have their own series. One series per kind has the sum of all others.
func TestFileDescriptorBound(t *testing.T) {
	testnet.Require(t)
	ns := testnet.NewNamespace(t)
	const kept = 3
	r := testreceiver.Start(t, fmt.Sprintf("programs: {file_descriptor: {processes: %d}}", kept))
	var agents []*traffic.Agent
	for i := range 2 * kept {
		a := traffic.Start(t, ns, traffic.Named("kernel-test-holder", "main"))
		a.OpenDescriptors("inotify", 10)
		a.OpenDescriptors("timerfd", 1)
		a.DupDescriptors("timerfd", 5000+100*i)
		agents = append(agents, a)
	}
	m := r.Scrape(t)
	var pids []int
	for _, s := range m.Series(openMetric) {
		if pid, err := strconv.Atoi(s.Attributes["process.pid"]); err == nil && s.Attributes[kindKey] == "timerfd" {
			pids = append(pids, pid)
		}
	}
	assert.ElementsMatch(t, []int{agents[3].PID, agents[4].PID, agents[5].PID}, pids)
	for _, a := range agents[kept:] {
		assert.Equal(t, traffic.OpenDescriptorsOf(t, a.PID, 0), openOf(t, m, a.PID, a.Executable))
	}
	rest := testreceiver.Attributes{kindKey: "timerfd", "otel.metric.overflow": "true"}
	left := func() int { return r.Scrape(t).Int(openMetric, rest) }
	before := left()
	assert.GreaterOrEqual(t, before, 3*5001+300)
	agents[0].CloseDescriptors("timerfd", 1000)
	assert.Equal(t, before-1000, left(), "only this test opens timers")
}

// The snapshot reads more than a million descriptors (a hundred thousand with -short) one by one, whether counted or
// excluded.
func TestFileDescriptorsInMasses(t *testing.T) {
	testnet.Require(t)
	processes := 60
	if testing.Short() {
		processes = 6
	}
	a := traffic.Start(t, testnet.NewNamespace(t), traffic.Named("kernel-test-holder", "main"))
	const each = 18_000
	a.OpenDescriptors("timerfd", 1)
	a.DupDescriptors("timerfd", each-1)
	a.Crowd(t, "kernel-test-crowd", "timerfd", processes)
	r := testreceiver.Start(t, "exclude: {executables: [kernel-test-crowd]}\n"+onlyFileDescriptor)
	require.Equal(t, each, openOf(t, r.Scrape(t), a.PID, a.Executable)["timerfd"])
	assert.Zero(t, r.Scrape(t).Int(openMetric, testreceiver.Attributes{"process.executable.name": "kernel-test-crowd"}))
	require.NoError(t, r.Shutdown())

	r = testreceiver.Start(t, onlyFileDescriptor)
	all := testreceiver.Attributes{"process.executable.name": "kernel-test-crowd", kindKey: "timerfd"}
	m := r.ScrapeUntil(t, func(m testreceiver.Scrape) bool { return m.Int(openMetric, all) >= processes*each })
	assert.Equal(t, processes*each, m.Int(openMetric, all))
}

// If the kernel supports tracing of functions, each open and close of a descriptor is counted. Copies by fork and closes at
// the end of a process are not. Otherwise the metric is absent.
func TestFileDescriptorOperations(t *testing.T) {
	testnet.Require(t)
	container := testhost.NewContainer(t)
	a := traffic.Start(t, testnet.NewNamespace(t), traffic.In(container))
	other := traffic.Start(t, testnet.NewNamespace(t), traffic.In(container), traffic.Named("kernel-test-left-out", "main"))
	program := traffic.Executable(t, "kernel-test-program")
	a.Run(traffic.Command{Path: program, Args: []string{"first"}})
	r := testreceiver.Start(t, "exclude: {executables: [kernel-test-left-out]}\n"+onlyFileDescriptor)
	// Wait until the program's states tell which hooks it has.
	hooks := map[any]bool{}
	for _, e := range r.Wait(t, 2, testreceiver.Named(stateEvent), testreceiver.With("ebpf.program.state", "attached")) {
		hooks[e.Attributes["ebpf.program.hook"]] = true
	}
	require.True(t, hooks["iter/task_file"])
	const kind = "signalfd"
	seen := func() (counts [2]int) {
		m := r.Scrape(t).In(container)
		for i, operation := range []string{"open", "close"} {
			counts[i] = m.Int(operationsMetric, testreceiver.Attributes{"ebpf.file_descriptor.operation": operation, kindKey: kind})
		}
		return counts
	}
	if !hooks["fentry/fd_install"] {
		t.Log("this kernel cannot trace functions")
		a.OpenDescriptors(kind, 20)
		assert.Empty(t, r.Scrape(t).Find(operationsMetric))
		assert.Equal(t, 3, r.Log.FilterMessage("Optional hook is not available on this kernel; the program runs without it").Len())
		return
	}
	want := [2]int{}
	expect := func(what string, opens, closes int) {
		t.Helper()
		want[0] += opens
		want[1] += closes
		assert.Equal(t, want, seen(), what)
		want = seen()
	}
	a.OpenDescriptors(kind, 20)
	expect("open", 20, 0)
	a.DupDescriptors(kind, 10)
	expect("dup", 10, 0)
	a.CloseDescriptors(kind, 5)
	expect("close", 0, 5)
	a.ReplaceDescriptors(kind, 4)
	expect("dup3", 4, 4)
	a.CloseRange(kind, 50)
	expect("close_range", 50, 50)
	a.Run(traffic.Command{Path: program, Args: []string{"x"}})
	expect("close on exec", 0, 25)
	other.OpenDescriptors(kind, 9)
	other.CloseDescriptors(kind, 9)
	expect("excluded process", 0, 0)
	a.Kill()
	expect("the end of the process", 0, 0)

	shell, container := newShell(t)
	all := func() (sum int) {
		for _, s := range r.Scrape(t).In(container).Series(operationsMetric) {
			sum += s.Value
		}
		return sum
	}
	shell.OpenDescriptors("timerfd", 100)
	var deltas [2]int
	for i, count := range []int{10, 1000} {
		before := all()
		shell.Fork(count)
		deltas[i] = all() - before
	}
	assert.Equal(t, deltas[0], deltas[1], "forks do not count")
	losses := lost(r.Scrape(t), "file_descriptor")
	delete(losses, "recursion") // other processes: the kernel skips an open that interrupts another one on the same CPU
	assert.Empty(t, losses)
}

// With `operations: false`, no hooks are attached to open and close.
func TestFileDescriptorWithoutOperations(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, "programs: {file_descriptor: {operations: false}}")
	assert.NotEmpty(t, r.Scrape(t).Find(openMetric))
	assert.Empty(t, r.Scrape(t).Find(operationsMetric))
	for _, e := range r.Events.Matching(testreceiver.Named(stateEvent), testreceiver.With("ebpf.program.name", "file_descriptor"), testreceiver.With("ebpf.program.state", "attached")) {
		assert.Equal(t, "iter/task_file", e.Attributes["ebpf.program.hook"])
	}
}

// The receiver's own process is excluded by default.
func TestFileDescriptorSelf(t *testing.T) {
	testnet.Require(t)
	for _, self := range []bool{true, false} {
		r := testreceiver.Start(t, fmt.Sprintf("exclude: {self: %t}\n", self)+onlyFileDescriptor)
		assert.Equal(t, self, r.Scrape(t).Int(openMetric, testreceiver.Attributes{"process.pid": strconv.Itoa(os.Getpid())}) == 0)
		require.NoError(t, r.Shutdown())
	}
}

func init() {
	inMasses["file_descriptor"] = massesOf{settings: "{leak_intervals: 5}", check: masses.checkFileDescriptor}
}

func (m masses) checkFileDescriptor(t *testing.T) {
	s := m.r.Scrape(t)
	assert.Equal(t, traffic.OpenDescriptorsOf(t, m.shell.PID, 0), openOf(t, s.In(m.container), m.shell.PID, m.shell.Executable))
	for _, series := range s.In(m.container).Series(openMetric) {
		assert.Equal(t, strconv.Itoa(m.shell.PID), series.Attributes["process.pid"])
	}
	assert.Empty(t, m.r.Events.Matching(testreceiver.Named(leakEvent), inContainer(m.container)))
	assert.Empty(t, lost(s, "file_descriptor"))
}
