// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel/kerneltest"
)

// openTestSet opens programs and closes them at the end of the test.
func openTestSet(t *testing.T, options Options, definitions ...*Definition) *Set {
	t.Helper()
	kerneltest.LeavesNothing(t)
	set, err := Open(selectAll(definitions...), options)
	require.NoError(t, err)
	t.Cleanup(func() {
		set.Detach()
		require.NoError(t, set.Close())
	})
	return set
}

// perCPU returns per-CPU values with these values for the first and the last CPU.
func perCPU[V any](t *testing.T, first, last V) []V {
	t.Helper()
	cpus, err := ebpf.PossibleCPU()
	require.NoError(t, err)
	require.Greater(t, cpus, 1, "needs several CPUs to test sums")
	values := make([]V, cpus)
	values[0], values[cpus-1] = first, last
	return values
}

func TestScrapeCounts(t *testing.T) {
	options, _ := liveOptions(t)
	set := openTestSet(t, options, working().define("connection"), working().define("packet_drop"))
	lost := set.shared.maps[common.MapLost]
	require.NoError(t, lost.Put(uint32(1), perCPU(t,
		common.Losses{ByCause: [3]uint64{1, 20, 300}}, common.Losses{ByCause: [3]uint64{4000, 50000, 600000}})))
	require.NoError(t, lost.Put(uint32(2), perCPU(t, common.Losses{}, common.Losses{ByCause: [3]uint64{0, 7, 0}})))
	set.CountDelivered([common.MaxPrograms]int{1: 10, 2: 5})
	set.CountDelivered([common.MaxPrograms]int{1: 1})
	set.CountRefused([common.MaxPrograms]int{2: 2})
	set.CountRefused([common.MaxPrograms]int{2: 3})
	record := make([]byte, common.RecordSize)
	record[0] = 1
	assert.True(t, set.CountUndecodable(record))
	assert.False(t, set.CountUndecodable(record))
	assert.True(t, set.CountUndecodable(nil), "a record of no program")

	m := newTestMetrics(options.Kernel.Containers)
	require.NoError(t, set.Scrape(m))
	events, losses := map[any]any{}, map[any]map[any]any{"connection": {}, "packet_drop": {}}
	m2 := newTestMetrics(options.Kernel.Containers)
	require.NoError(t, set.Scrape(m2))
	for _, point := range points(t, m, "ebpf.event.delivered") {
		events[point["ebpf.program.name"]] = point["value"]
	}
	for _, point := range points(t, m2, "ebpf.event.lost") {
		losses[point["ebpf.program.name"]][point["ebpf.loss.cause"]] = point["value"]
	}
	assert.Equal(t, map[any]any{"connection": int64(11), "packet_drop": int64(5)}, events)
	assert.Equal(t, map[any]map[any]any{
		"connection": {
			"ring_full": int64(4001), "rate_limit": int64(50020), "map_full": int64(600300), "refused": int64(0),
			"undecodable": int64(2), "recursion": int64(0),
		},
		"packet_drop": {
			"ring_full": int64(0), "rate_limit": int64(7), "map_full": int64(0), "refused": int64(5),
			"undecodable": int64(0), "recursion": int64(0),
		},
	}, losses, "a second scrape must not count twice")

	reported, err := set.Losses()
	require.NoError(t, err)
	assert.Equal(t, Losses{
		{"connection", "rate_limit", 50020},
		{"connection", "map_full", 600300},
		{"connection", "undecodable", 2},
		{"packet_drop", "rate_limit", 7},
		{"packet_drop", "refused", 5},
	}, reported.Since(nil), "losses known by sequence numbers are left out")
	assert.Empty(t, reported.Since(reported))
	set.CountRefused([common.MaxPrograms]int{1: 4})
	later, err := set.Losses()
	require.NoError(t, err)
	assert.Equal(t, Losses{{"connection", "refused", 4}}, later.Since(reported))
}

func TestScrapeErrors(t *testing.T) {
	options, _ := liveOptions(t)
	broken := working()
	broken.scrapeErr = errBroken
	set := openTestSet(t, options, broken.define("broken"), working().define("connection"))
	m := newTestMetrics(options.Kernel.Containers)
	require.EqualError(t, set.Scrape(m), "program broken: broken")
	assert.NotEmpty(t, points(t, m, "ebpf.event.delivered"), "other metrics are still reported")

	require.NoError(t, set.shared.maps[common.MapLost].Close())
	require.ErrorContains(t, set.Scrape(newTestMetrics(options.Kernel.Containers)), "read map ebpf_lost: ")
	require.NoError(t, set.shared.maps[common.MapSequences].Close())
	_, err := set.LastSequences()
	require.ErrorContains(t, err, "read map ebpf_sequences: ")
}

// hostWithStats returns this host with a different value of kernel.bpf_stats_enabled.
func hostWithStats(t *testing.T, enabled string) *kernel.Host {
	t.Helper()
	host := kernel.ThisHost()
	host.Root = t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(host.Root, "proc/sys/kernel"), 0o750))
	require.NoError(t, os.WriteFile(filepath.Join(host.Root, "proc/sys/kernel/bpf_stats_enabled"), []byte(enabled), 0o600))
	return host
}

// Run times of programs are published only while the kernel measures them.
func TestScrapeRuns(t *testing.T) {
	options, _ := liveOptions(t)
	set := openTestSet(t, options, working().define("connection"))
	stats, err := ebpf.EnableStats(uint32(unix.BPF_STATS_RUN_TIME))
	require.NoError(t, err)
	defer func() { require.NoError(t, stats.Close()) }()
	for range 5 {
		hit(t)
	}
	scrape := func(metric string) []map[string]any {
		m := newTestMetrics(options.Kernel.Containers)
		require.NoError(t, set.Scrape(m))
		return points(t, m, metric)
	}

	set.options.Kernel.Host = hostWithStats(t, "1\n")
	counts := scrape("ebpf.program.runs")
	require.Len(t, counts, 1)
	assert.Equal(t, "connection", counts[0]["ebpf.program.name"])
	assert.Equal(t, "tp_btf/oom_score_adj_update", counts[0]["ebpf.program.hook"])
	assert.GreaterOrEqual(t, counts[0]["value"], int64(5))
	times := scrape("ebpf.program.run.time")
	require.Len(t, times, 1)
	assert.Equal(t, "connection", times[0]["ebpf.program.name"])
	assert.Equal(t, "tp_btf/oom_score_adj_update", times[0]["ebpf.program.hook"])
	assert.Positive(t, times[0]["value"])
	assert.Less(t, times[0]["value"], 1.0, "seconds")

	set.options.Kernel.Host = hostWithStats(t, "0\n")
	assert.Empty(t, scrape("ebpf.program.runs"))
	assert.Empty(t, scrape("ebpf.program.run.time"))
	assert.Len(t, scrape("ebpf.event.delivered"), 1)

	set.options.Kernel.Host = hostWithStats(t, "1\n")
	set.Detach()
	assert.Empty(t, scrape("ebpf.program.runs"), "no program runs")
}

func TestLastSequences(t *testing.T) {
	options, _ := liveOptions(t)
	set := openTestSet(t, options, working().define("connection"))
	values := perCPU(t, common.Sequence{Last: 17}, common.Sequence{Last: 1 << 40})
	require.NoError(t, set.shared.maps[common.MapSequences].Put(uint32(0), values))
	last, err := set.LastSequences()
	require.NoError(t, err)
	want := make([]uint64, len(values))
	want[0], want[len(want)-1] = 17, 1<<40
	assert.Equal(t, want, last)
}
