// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package testnet

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// inNewThread runs f on an OS thread of its own that ends with it, so that what f does to the thread (entering
// a namespace, dropping capabilities) reaches nobody else.
func inNewThread(f func() error) error {
	result := make(chan error)
	go func() {
		// Never unlocked: the runtime ends the thread together with the goroutine.
		runtime.LockOSThread()
		result <- f()
	}()
	return <-result
}

// AwaitGracePeriods waits until the kernel has freed what it keeps for those that may still read it (RCU), such as a UDP
// socket that was closed.
func AwaitGracePeriods(t testing.TB) {
	t.Helper()
	const global = 1 // MEMBARRIER_CMD_GLOBAL
	// What is freed behind one grace period is, nearly always, before the end of the next ones.
	for range 3 {
		_, _, errno := unix.Syscall(unix.SYS_MEMBARRIER, global, 0, 0)
		require.Zero(t, errno, "membarrier")
	}
}
