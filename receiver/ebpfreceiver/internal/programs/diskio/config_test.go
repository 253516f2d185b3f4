// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package diskio

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

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

// The hooks for disks in memory are attached only if there is one. A newer one is a warning, once.
func TestMemoryDisks(t *testing.T) {
	for name, names := range map[string][]string{"none": {"vda", "dm-0", "loop0", "ramdisk"}, "zram": {"zram0"}, "brd": {"vda", "ram15"}, "pmem": {"pmem0s"}} {
		t.Run(name, func(t *testing.T) {
			core, logs := observer.New(zap.DebugLevel)
			host := programtest.Host(t)
			host.Logger = zap.New(core)
			p := newProgram(defaultConfig(), host).(*operations)
			present := names
			p.devices.list = func() ([]string, error) { return present, nil }
			var functions []string
			for _, hook := range p.Hooks() {
				functions = append(functions, hook.Variants[0].Function)
			}
			assert.Equal(t, name != "none", slices.Contains(functions, bpf.DiskIOProgDiskIoBioQueue))
			assert.Equal(t, name != "none", slices.Contains(functions, bpf.DiskIOProgDiskIoBioComplete))
			present = append(present, "zram7")
			for range 2 {
				p.devices.update()
				p.warnOfMemoryDisks()
			}
			assert.Equal(t, map[bool]int{true: 1}[name == "none"], logs.Len())
		})
	}
}

func TestEvents(t *testing.T) {
	host := programtest.Host(t)
	p := newProgram(defaultConfig(), host)
	assert.Equal(t, uint32(1)<<bpf.DiskIOEventIdEVENT_SLOW, p.Events())
	host.Events.EbpfDiskSlowOperation.Enabled = false
	assert.Zero(t, p.Events())
}
