// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package traffic

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
)

func TestConnectionsFlatOut(t *testing.T) {
	done, err := Connections{Count: 2001, Pairs: 2}.Run(nil)
	require.NoError(t, err)
	assert.Equal(t, 2001, done.Opened)
	assert.Positive(t, done.Elapsed)
	assert.Zero(t, done.Connect)
}

func TestConnectionsAtRate(t *testing.T) {
	done, err := Connections{Count: 200, Pairs: 1, Rate: 1000}.Run(nil)
	require.NoError(t, err)
	assert.Equal(t, 200, done.Opened)
	assert.GreaterOrEqual(t, done.Elapsed, 200*time.Millisecond)
	assert.Positive(t, done.Connect.Median)
	assert.LessOrEqual(t, done.Connect.Median, done.Connect.P99)
}

func TestDrops(t *testing.T) {
	done, err := Drops{Count: 5001, Threads: 2}.Run(nil)
	require.NoError(t, err)
	assert.Equal(t, DropsDone{Sent: 5001, Bytes: 60, Elapsed: done.Elapsed}, done)
}

func TestLoops(t *testing.T) {
	file := filepath.Join(t.TempDir(), "blocks")
	require.NoError(t, os.WriteFile(file, make([]byte, 4096), 0o600))
	for _, of := range []string{LoopCalls, LoopProcesses, LoopDeletions, LoopSwitches, LoopDescriptors, LoopReads, LoopLookups} {
		done, err := Loop{Of: of, Count: 20, Path: file}.Run(nil)
		require.NoError(t, err, of)
		assert.Equal(t, 20, done.Count)
		assert.Positive(t, done.Each())
	}
	_, err := Loop{Of: "nothing", Count: 1}.Run(nil)
	require.ErrorContains(t, err, `no loop of 1 "nothing"`)
}

func TestShares(t *testing.T) {
	assert.Equal(t, []int{3, 3, 4}, shares(10, 3))
	assert.Equal(t, []int{7}, shares(7, 1))
}

func TestQuantiles(t *testing.T) {
	assert.Equal(t, Quantiles{Median: 3, P90: 4, P99: 4}, quantiles([]time.Duration{5, 1, 3}, []time.Duration{2, 4}))
	assert.Zero(t, quantiles())
}

func TestExceed(t *testing.T) {
	testnet.Require(t)
	limit, err := testhost.MakeMemoryLimit("/traffic-test-"+strconv.Itoa(os.Getpid()), 16<<20)
	require.NoError(t, err)
	defer func() { require.NoError(t, limit.Close()) }()
	for range 2 {
		require.NoError(t, Exceed(limit))
	}
	kills, err := limit.Kills()
	require.NoError(t, err)
	assert.Equal(t, 2, kills)
}

func TestOnce(t *testing.T) {
	testnet.Require(t)
	container := testhost.NewDockerContainer(t)
	who := Once(t, "once", container, identify, Nothing{})
	assert.Equal(t, "once", who.Executable)
	assert.Equal(t, "once", who.Thread)
	assert.Equal(t, "0::"+container.Path, who.Cgroup)
}
