// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program

import (
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// slowFunction returns a function that reads the clock many times.
func slowFunction(name string) *ebpf.ProgramSpec {
	f := emptyFunction(name, quietTracepoint)
	f.Instructions = nil
	for range 1000 {
		f.Instructions = append(f.Instructions, asm.FnKtimeGetNs.Call())
	}
	f.Instructions = append(f.Instructions, asm.Mov.Imm(asm.R0, 0), asm.Return())
	return f
}

// The run time is what the kernel's statistics say, but for the measurement itself, and only while it is on.
func TestTiming(t *testing.T) {
	options, _ := liveOptions(t)
	options.Steppable = true
	slow := &fakeProgram{spec: objectOf(slowFunction("slow")), hooks: []Hook{Tracepoint("slow", quietTracepoint)}}
	set := openTestSet(t, options, slow.define("slow"), working().define("connection"))
	stats, err := ebpf.EnableStats(uint32(unix.BPF_STATS_RUN_TIME))
	require.NoError(t, err)
	defer func() { require.NoError(t, stats.Close()) }()
	times := func() (ours, kernels time.Duration) {
		usages, err := set.Usages()
		require.NoError(t, err)
		require.Equal(t, "slow", usages[0].Program)
		runs, err := set.loaded[0].hooks[0].runs()
		require.NoError(t, err)
		assert.Less(t, usages[1].RunTime, max(usages[0].RunTime/10, 1), "each program has its own time")
		return usages[0].RunTime, runs.Runtime
	}

	hit(t)
	ours, before := times()
	assert.Zero(t, ours, "off")
	assert.Positive(t, before)

	require.NoError(t, set.SetTiming(true))
	for range 5 {
		hit(t)
	}
	require.NoError(t, set.SetTiming(false))
	ours, after := times()
	assert.LessOrEqual(t, ours, after-before)
	assert.Greater(t, ours, (after-before)*9/10)

	hit(t)
	still, _ := times()
	assert.Equal(t, ours, still, "off again")
}
