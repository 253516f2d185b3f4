// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

const (
	oomEvent   = "ebpf.oom.kill"
	oomMetric  = "ebpf.oom.kills"
	onlyOOM    = "programs: {oom: {}}"
	anonymous  = "ebpf.oom.memory.anonymous"
	mebibyte   = 1 << 20
	victimUser = 1003
)

func init() {
	counts("oom", forContainer{
		act: func(t *testing.T, p place) {
			victim := traffic.Start(t, p.ns, traffic.In(p.container))
			require.NoError(t, testhost.NewMemoryLimit(t, p.container, 64*mebibyte).Add(victim.PID))
			require.Error(t, victim.TryHoldMemory(100*mebibyte))
			victim.Kill()
		},
		metrics: []string{oomMetric},
	})
}

// The kernel kills the process with the most memory, although another one asked for memory.
func TestOOMKillOfAnother(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyOOM)
	container, ns := testhost.NewContainer(t), testnet.NewNamespace(t)
	limit := testhost.NewMemoryLimit(t, container, 200*mebibyte)
	victim := traffic.Start(t, ns, traffic.In(container), traffic.Named("kernel-test-victim", "victim-main"), traffic.AsUser(victimUser))
	greedy := traffic.Start(t, ns, traffic.In(container), traffic.Named("kernel-test-greedy", "greedy-main"))
	require.NoError(t, limit.Add(victim.PID))
	require.NoError(t, limit.Add(greedy.PID))

	const adjust = 900
	truth := victim.HoldMemory(128*mebibyte, 24*mebibyte, adjust)
	start := time.Now()
	// The victim's memory suffices, but the kernel may choose another victim before all of it is freed.
	_ = greedy.OnThread("greedy-thread").TryHoldMemory(80 * mebibyte)
	end := time.Now()

	e := r.Wait(t, 1, testreceiver.Named(oomEvent), testreceiver.OfProcess(victim.PID))[0]
	within(t, e, start, end)
	assert.Equal(t, resource(container), e.Resource)
	// The kernel's counters lack what CPUs have not added yet.
	const tolerance = 2 * mebibyte
	kinds := []int{truth.Shmem, truth.Anonymous, truth.Total}
	for i, kind := range kinds {
		require.Greater(t, kind-append([]int{truth.File}, kinds...)[i], 2*tolerance, "the kinds of memory are too similar to distinguish: %+v", truth)
	}
	memory := map[string]struct{ want, tolerance int }{
		"ebpf.oom.memory.total":       {truth.Total, tolerance},
		anonymous:                     {truth.Anonymous, tolerance},
		"ebpf.oom.memory.file":        {truth.File, tolerance},
		"ebpf.oom.memory.shmem":       {truth.Shmem, tolerance},
		"ebpf.oom.memory.swap":        {truth.Swap, 0},
		"ebpf.oom.memory.page_tables": {truth.PageTables, 64 << 10},
		"ebpf.oom.score":              {truth.Score, 2},
	}
	for key, m := range memory {
		assert.InDelta(t, m.want, e.Attributes[key], float64(m.tolerance), key)
	}

	want := attributes{
		"process.pid":                      int64(victim.PID),
		"process.executable.name":          victim.Executable,
		"process.user.id":                  int64(victimUser),
		"thread.name":                      victim.Thread,
		"process.linux.cgroup":             "0::" + container.Path,
		"ebpf.oom.score_adj":               int64(adjust),
		"ebpf.oom.trigger.pid":             int64(greedy.PID),
		"ebpf.oom.trigger.executable.name": greedy.Executable,
		"ebpf.oom.trigger.thread.name":     "greedy-thread",
	}
	check(t, e, oomEvent, plog.SeverityNumberError, want, slices.Collect(maps.Keys(memory))...)
	assert.Contains(t, e.Body, "killed for lack of memory")
	assert.Contains(t, e.Body, "greedy-thread[")

	assert.Equal(t, []testreceiver.Series{{Attributes: testreceiver.Attributes{}, Value: limit.CountKills(t)}}, r.Scrape(t).In(container).Series(oomMetric))
}

// Swapped pages are not in memory, but still belong to the victim.
func TestOOMKillOfSwapped(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyOOM)
	const most, swap = 64 * mebibyte, 64 * mebibyte
	testhost.AddSwap(t, swap)
	container := testhost.NewContainer(t)
	limit := testhost.NewMemoryLimit(t, container, most)
	require.NoError(t, limit.AllowSwap())
	victim := traffic.Start(t, testnet.NewNamespace(t), traffic.In(container))
	older := victim.HoldMemory(0, 0, 0).Anonymous
	require.NoError(t, limit.Add(victim.PID))
	require.Error(t, victim.TryHoldMemory(2*(most+swap)))

	e := r.Wait(t, 1, testreceiver.Named(oomEvent), testreceiver.OfProcess(victim.PID))[0]
	assert.InDelta(t, swap, e.Attributes["ebpf.oom.memory.swap"], swap/2)
	// Memory from before the limit adds to it, and pages that the kernel is about to swap are still in memory.
	const least, tolerance = 8 * mebibyte, 4 * mebibyte
	assert.Greater(t, e.Attributes[anonymous], int64(least))
	assert.Less(t, e.Attributes[anonymous], int64(most+older+tolerance))
	victim.Kill()
}

// Each kill is counted once, for its container, even if several threads of the victim need memory.
func TestOOMKillsAreCounted(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyOOM)
	containers := map[*testhost.Cgroup]int{testhost.NewContainer(t): 3, testhost.NewContainer(t): 2}
	ns := testnet.NewNamespace(t)
	for container, count := range containers {
		limit := testhost.NewMemoryLimit(t, container, 64*mebibyte)
		for range count {
			a := traffic.Start(t, ns, traffic.In(container))
			require.NoError(t, limit.Add(a.PID))
			require.Error(t, a.TryHoldMemory(100*mebibyte))
			a.Kill()
			e := r.Wait(t, 1, testreceiver.Named(oomEvent), testreceiver.OfProcess(a.PID))[0]
			assert.Equal(t, int64(a.PID), e.Attributes["ebpf.oom.trigger.pid"])
			assert.Equal(t, a.Executable, e.Attributes["ebpf.oom.trigger.executable.name"])
			assert.Greater(t, e.Attributes[anonymous], int64(16*mebibyte))
		}
		assert.Equal(t, count, limit.CountKills(t))
	}
	m := r.Scrape(t)
	for container, count := range containers {
		assert.Equal(t, []testreceiver.Series{{Attributes: testreceiver.Attributes{}, Value: count}}, m.In(container).Series(oomMetric))
		mine := r.Events.Matching(testreceiver.Named(oomEvent), func(e testreceiver.Event) bool { return maps.Equal(e.Resource, resource(container)) })
		assert.Len(t, mine, count)
	}
	assert.Empty(t, lost(m, "oom"))
}

// Without events, kills are counted. Excluded ones are not.
func TestOOMMetricsOnly(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, "exclude: {executables: [kernel-test-left-out]}\nprograms: {oom: {events: false}}")
	container, ns := testhost.NewContainer(t), testnet.NewNamespace(t)
	limit := testhost.NewMemoryLimit(t, container, 64*mebibyte)
	for _, name := range []string{"kernel-test-left-out", "kernel-test-victim"} {
		a := traffic.Start(t, ns, traffic.In(container), traffic.Named(name, "main"))
		require.NoError(t, limit.Add(a.PID))
		require.Error(t, a.TryHoldMemory(100*mebibyte))
		a.Kill()
	}
	assert.Equal(t, 2, limit.CountKills(t))
	assert.Equal(t, 1, r.Scrape(t).In(container).Int(oomMetric, nil))
	assert.Empty(t, r.Events.Matching(testreceiver.Named(oomEvent)))
}
