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

// NextPID makes the kernel give this id, if it is free, to the next new task.
func NextPID(t testing.TB, pid int) {
	t.Helper()
	if err := os.WriteFile("/proc/sys/kernel/ns_last_pid", []byte(strconv.Itoa(pid-1)), 0); err != nil {
		testenv.Missing(t, "cannot choose ids of tasks: "+err.Error())
	}
}

// AwaitGracePeriods waits until the kernel has freed what it frees after an RCU grace period, such as a closed UDP socket.
func AwaitGracePeriods(t testing.TB) {
	t.Helper()
	const global = 1 // MEMBARRIER_CMD_GLOBAL
	// An object is nearly always freed by the end of the grace period after the one that it waits for.
	for range 3 {
		_, _, errno := unix.Syscall(unix.SYS_MEMBARRIER, global, 0, 0)
		require.Zero(t, errno, "membarrier")
	}
}
