// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package diskio

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/diskio"
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
	config := defaultConfig()
	config.Threshold = 30 * time.Millisecond
	variables := newProgram(config, programtest.Host(t)).Variables()
	assert.Equal(t, uint64(30_000_000), variables[bpf.DiskIOVarSlowThreshold], "ns")
	assert.Equal(t, false, variables[bpf.DiskIOVarRequestBehindQueue])
	assert.Equal(t, false, variables[bpf.DiskIOVarSeesStart], "a kernel without this tracepoint")
}

// Without a hook for the submission of a request, the time starts when the request is given to a scheduler.
func TestHooksWithoutStart(t *testing.T) {
	var places []string
	for _, hook := range newProgram(defaultConfig(), programtest.Host(t)).Hooks() {
		for _, v := range hook.Variants {
			places = append(places, v.Function)
		}
	}
	assert.Contains(t, places, bpf.DiskIOProgDiskIoInsert)
	assert.NotContains(t, places, bpf.DiskIOProgDiskIoStart)
}

func TestEvents(t *testing.T) {
	host := programtest.Host(t)
	p := newProgram(defaultConfig(), host)
	assert.Equal(t, uint32(1)<<bpf.DiskIOEventIdEVENT_SLOW, p.Events())
	host.Events.EbpfDiskSlowOperation.Enabled = false
	assert.Zero(t, p.Events())
}
