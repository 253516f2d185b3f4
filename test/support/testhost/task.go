// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package testhost

import (
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
)

// NextPID makes the kernel give that id, if it is free, to the next task that is made.
func NextPID(t testing.TB, pid int) {
	t.Helper()
	if err := os.WriteFile("/proc/sys/kernel/ns_last_pid", []byte(strconv.Itoa(pid-1)), 0); err != nil {
		testenv.Missing(t, "ids of tasks can't be chosen: "+err.Error())
	}
}

// AwaitGracePeriods waits until the kernel has freed what it keeps for those that may still read it (RCU), such as a UDP
// socket that was closed.
func AwaitGracePeriods(t testing.TB) {
	t.Helper()
	const global = 1 // MEMBARRIER_CMD_GLOBAL
	// What is freed after one grace period is nearly always freed before the end of the next ones.
	for range 3 {
		_, _, errno := unix.Syscall(unix.SYS_MEMBARRIER, global, 0, 0)
		require.Zero(t, errno, "membarrier")
	}
}
