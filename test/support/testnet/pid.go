// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package testnet

import (
	"os"
	"strconv"
	"testing"
)

// NextPID makes the kernel give that id, if it is free, to the next task that is made.
func NextPID(t testing.TB, pid int) {
	t.Helper()
	if err := os.WriteFile("/proc/sys/kernel/ns_last_pid", []byte(strconv.Itoa(pid-1)), 0); err != nil {
		Skip(t, "ids of tasks can't be chosen: "+err.Error())
	}
}
