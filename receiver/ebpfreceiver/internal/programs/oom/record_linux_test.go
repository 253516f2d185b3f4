// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package oom

import (
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/oom"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel/kerneltest"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/load"
)

// killOne has the kernel kill a process for the lack of memory, and returns its id.
func killOne(t *testing.T) int {
	t.Helper()
	limit, err := load.LimitMemory("oom-test-"+strconv.Itoa(os.Getpid()), 16<<20)
	require.NoError(t, err)
	defer func() { require.NoError(t, limit.Close()) }()
	// The shell waits to be limited, and asks then for more than that.
	cmd := exec.Command("sh", "-c", "read go && exec tail /dev/zero")
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	require.NoError(t, limit.Add(cmd.Process.Pid))
	_, err = in.Write([]byte("go\n"))
	require.NoError(t, err)
	require.ErrorContains(t, cmd.Wait(), "killed")
	return cmd.Process.Pid
}

// What this kernel writes is of the kind of what is recorded; with -update it is what is recorded.
func TestRecordsOfThisKernel(t *testing.T) {
	kerneltest.Require(t)
	var victim int
	records := programtest.Records(t, program.Selected{Definition: &Definition, Config: defaultConfig()}, func() { victim = killOne(t) })
	named := map[string][]byte{}
	for _, raw := range records {
		if e, ok := common.View[bpf.OomEvent](raw); ok && int(e.Owner.Pid) == victim {
			named["kill"] = raw
		}
	}
	programtest.CompareRecords(t, named)
}
