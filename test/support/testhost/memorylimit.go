// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package testhost

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
)

// MemoryLimit limits the memory that some processes may use together. Beyond it, the kernel kills one of them.
type MemoryLimit struct {
	group controlled
	// kills is the file with the kernel's count of kills.
	kills string
}

// MakeMemoryLimit limits the memory of processes in the cgroup at a path below the root of the cgroup2 hierarchy, and creates
// the cgroup if it does not exist. If the memory controller is in a version 1 hierarchy, it creates a cgroup there.
func MakeMemoryLimit(path string, bytes int) (*MemoryLimit, error) {
	group, err := openControlled(path, "memory", "memory")
	if err != nil {
		return nil, err
	}
	l := &MemoryLimit{group: group, kills: "memory.events"}
	settings := map[string]string{"memory.max": strconv.Itoa(bytes), "memory.swap.max": "0"}
	if group.v1 {
		l.kills = "memory.oom_control"
		settings = map[string]string{"memory.limit_in_bytes": strconv.Itoa(bytes), "memory.swappiness": "0"}
	}
	for name, value := range settings {
		// A kernel without swap accounting has no such file.
		if err := write(filepath.Join(group.dir, name), value); err != nil && name != "memory.swap.max" {
			return nil, errors.Join(err, l.Close())
		}
	}
	return l, nil
}

// NewMemoryLimit limits the memory of a cgroup without processes. Use Add for the processes to limit.
func NewMemoryLimit(t testing.TB, c *Cgroup, bytes int) *MemoryLimit {
	t.Helper()
	limit, err := MakeMemoryLimit(c.Path, bytes)
	if err != nil {
		testenv.Missing(t, err.Error())
	}
	t.Cleanup(func() { _ = limit.Close() })
	return limit
}

// Close removes the cgroup if it was made for the limit. All its processes must have ended.
func (l *MemoryLimit) Close() error { return l.group.close() }

// Add limits the memory of a process from now on.
func (l *MemoryLimit) Add(pid int) error { return l.group.add(pid) }

// AllowSwap allows the kernel to swap the memory, which is off by default. Then the limit applies to what is not swapped.
func (l *MemoryLimit) AllowSwap() error {
	if l.group.v1 {
		return write(filepath.Join(l.group.dir, "memory.swappiness"), "100")
	}
	return write(filepath.Join(l.group.dir, "memory.swap.max"), "max")
}

// Kills returns the kernel's count of processes killed because of the limit.
func (l *MemoryLimit) Kills() (n int, err error) {
	text, err := os.ReadFile(filepath.Join(l.group.dir, l.kills))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), "oom_kill ")
	if _, err := fmt.Sscan(rest, &n); err != nil {
		return 0, fmt.Errorf("no count of kills in %s: %w", text, err)
	}
	return n, nil
}

// CountKills is Kills for a test.
func (l *MemoryLimit) CountKills(t testing.TB) int {
	t.Helper()
	n, err := l.Kills()
	require.NoError(t, err)
	return n
}

// LimitLockedMemory sets how much memory a process may lock; unix.RLIM_INFINITY means no limit.
func LimitLockedMemory(t testing.TB, pid int, bytes uint64) {
	t.Helper()
	require.NoError(t, unix.Prlimit(pid, unix.RLIMIT_MEMLOCK, &unix.Rlimit{Cur: bytes, Max: bytes}, nil))
}
