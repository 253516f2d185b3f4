// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package testnet

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/load"
)

// MemoryLimit is a limit of the memory that some processes may have together; when they go beyond it, one is killed.
type MemoryLimit struct{ limit *load.MemoryLimit }

// LimitMemory limits the memory of the cgroup, in which there is no process yet; those that come are to be added.
func LimitMemory(t testing.TB, c *Cgroup, bytes int) MemoryLimit {
	t.Helper()
	limit, err := load.LimitMemory(c.Path, bytes)
	if err != nil {
		Skip(t, err.Error())
	}
	t.Cleanup(func() { _ = limit.Close() })
	return MemoryLimit{limit}
}

// Add limits the memory of a process that is in the cgroup.
func (l MemoryLimit) Add(t testing.TB, pid int) {
	t.Helper()
	require.NoError(t, l.limit.Add(pid), "limiting the memory of a process")
}

// AllowSwap lets the kernel swap their memory to where it has room: see AddSwap.
func (l MemoryLimit) AllowSwap(t testing.TB) {
	t.Helper()
	require.NoError(t, l.limit.AllowSwap(), "letting memory be swapped")
}

// Kills is how many processes the kernel says that it has killed for the limit.
func (l MemoryLimit) Kills(t testing.TB) int {
	t.Helper()
	n, err := l.limit.Kills()
	require.NoError(t, err)
	return n
}

// LimitLockedMemory sets how much memory a process may lock; unix.RLIM_INFINITY is as much as it likes.
func LimitLockedMemory(t testing.TB, pid int, bytes uint64) {
	t.Helper()
	require.NoError(t, unix.Prlimit(pid, unix.RLIMIT_MEMLOCK, &unix.Rlimit{Cur: bytes, Max: bytes}, nil))
}
