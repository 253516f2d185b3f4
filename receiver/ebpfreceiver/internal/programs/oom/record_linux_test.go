// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package oom

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/oom"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel/kerneltest"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

// limitMemory creates a cgroup with a limit of 16 MiB of memory and no swap, and returns its directory. If the memory
// controller is one of cgroup version 1, the cgroup is too.
func limitMemory(t *testing.T) string {
	t.Helper()
	root, settings := "/sys/fs/cgroup", map[string]string{"memory.max": "16M", "memory.swap.max": "0"}
	if controllers, err := os.ReadFile(root + "/cgroup.controllers"); err != nil || !strings.Contains(string(controllers), "memory") {
		root, settings = root+"/memory", map[string]string{"memory.limit_in_bytes": "16M", "memory.swappiness": "0"}
	} else {
		require.NoError(t, os.WriteFile(root+"/cgroup.subtree_control", []byte("+memory"), 0))
	}
	dir, err := os.MkdirTemp(root, "oom-test-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, unix.Rmdir(dir)) })
	for name, value := range settings {
		// A kernel without swap accounting has no such limit.
		if err := os.WriteFile(filepath.Join(dir, name), []byte(value), 0); name != "memory.swap.max" {
			require.NoError(t, err)
		}
	}
	return dir
}

// killOne makes the kernel kill a process for lack of memory, and returns its id.
func killOne(t *testing.T) int {
	t.Helper()
	limited := limitMemory(t)
	// The shell waits until it is limited, and then allocates memory.
	cmd := exec.Command("sh", "-c", "read go && exec tail /dev/zero")
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	require.NoError(t, os.WriteFile(filepath.Join(limited, "cgroup.procs"), []byte(strconv.Itoa(cmd.Process.Pid)), 0))
	_, err = in.Write([]byte("go\n"))
	require.NoError(t, err)
	require.ErrorContains(t, cmd.Wait(), "killed")
	return cmd.Process.Pid
}

// Records of this kernel have the same kinds as the recorded ones; with -update they replace those.
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
