// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package runqueue

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/runqueue"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics/histogram"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

func TestDefaultConfig(t *testing.T) {
	c := defaultConfig()
	require.NoError(t, c.Validate())
	assert.True(t, c.Events)
	require.NotNil(t, c.EventLimit)
	assert.Equal(t, 1000, *c.EventLimit)
	assert.Equal(t, 100*time.Millisecond, c.Threshold)
}

func TestVariables(t *testing.T) {
	host := programtest.Host(t)
	host.Histogram = histogram.Exponential
	config := defaultConfig()
	config.Threshold = 1500 * time.Microsecond
	variables := newProgram(config, host).Variables()
	assert.Equal(t, uint64(1_500_000), variables[bpf.RunqueueVarStallThreshold], "ns")
	assert.Equal(t, histogram.Exponential.Table(), variables[bpf.RunqueueVarHistogramBounds])
}

func TestEvents(t *testing.T) {
	host := programtest.Host(t)
	p := newProgram(defaultConfig(), host)
	assert.Equal(t, uint32(1)<<bpf.RunqueueEventIdEVENT_STALL, p.Events())
	host.Events.EbpfRunqueueStall.Enabled = false
	assert.Zero(t, p.Events())
}

// A kernel without sched_info is reported before anything is loaded.
func TestSpecOfKernelWithoutAccount(t *testing.T) {
	host := programtest.Host(t)
	spec, err := newProgram(defaultConfig(), host).Spec()
	require.NoError(t, err)
	assert.Greater(t, spec.Maps[bpf.RunqueueMapRunqueueWaits].MaxEntries, uint32(1), "the size depends on the memory")

	host.BTF = programtest.BTF(t, 2)
	_, err = newProgram(defaultConfig(), host).Spec()
	require.EqualError(t, err, "this kernel does not measure how long a task waits: struct sched_info has no last_queued; run one built with CONFIG_SCHED_INFO=y")
}
