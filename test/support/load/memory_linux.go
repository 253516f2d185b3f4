// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// MemoryLimit is a limit of the memory that some processes may have together. When they go beyond it, the kernel kills
// one of them.
type MemoryLimit struct {
	dir string
	// v1 is whether the memory controller is one of version 1.
	v1 bool
	// kills is the file with the kernel's own count of kills.
	kills string
	// made is whether the cgroup was made for the limit.
	made bool
}

// LimitMemory limits the memory of processes in the cgroup of a path below the root of the cgroup2 hierarchy, which is
// made if need be. Where the memory controller is one of version 1, the limit is that of a group of that version.
func LimitMemory(path string, bytes int) (*MemoryLimit, error) {
	group, err := openControlled(path, "memory", "memory")
	if err != nil {
		return nil, err
	}
	l := &MemoryLimit{dir: group.dir, v1: group.v1, kills: "memory.events", made: group.made}
	settings := map[string]string{"memory.max": strconv.Itoa(bytes), "memory.swap.max": "0"}
	if group.v1 {
		l.kills = "memory.oom_control"
		settings = map[string]string{"memory.limit_in_bytes": strconv.Itoa(bytes), "memory.swappiness": "0"}
	}
	for name, value := range settings {
		// A kernel without swap has no limit of that.
		if err := write(filepath.Join(l.dir, name), value); err != nil && name != "memory.swap.max" {
			return nil, errors.Join(err, l.Close())
		}
	}
	return l, nil
}

// Add limits the memory of a process from here on.
func (l *MemoryLimit) Add(pid int) error {
	return write(filepath.Join(l.dir, "cgroup.procs"), strconv.Itoa(pid))
}

// AllowSwap lets the kernel swap the memory, which it does not otherwise; the limit is of what is not swapped.
func (l *MemoryLimit) AllowSwap() error {
	if l.v1 {
		return write(filepath.Join(l.dir, "memory.swappiness"), "100")
	}
	return write(filepath.Join(l.dir, "memory.swap.max"), "max")
}

// Exceed runs a process below the limit that takes more memory than there is, and returns when it has been killed.
func (l *MemoryLimit) Exceed() error {
	before, err := l.Kills()
	if err != nil {
		return err
	}
	c, err := start(job{Exceed: filepath.Join(l.dir, "cgroup.procs")}, nil)
	if err != nil {
		return err
	}
	ended := c.wait()
	after, err := l.Kills()
	if err == nil && after == before {
		err = fmt.Errorf("the process was not killed for its memory: %w", ended)
	}
	return err
}

// exceed moves this process into a cgroup, and takes memory until it is killed.
func exceed(procs string) error {
	if err := write(procs, strconv.Itoa(os.Getpid())); err != nil {
		return err
	}
	const most = 1 << 30
	memory, err := unix.Mmap(-1, 0, most, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return fmt.Errorf("mmap: %w", err)
	}
	for i := 0; i < most; i += os.Getpagesize() {
		memory[i] = 1
	}
	return fmt.Errorf("%d bytes are within the limit", most)
}

// Kills is how many processes the kernel says that it has killed for the limit.
func (l *MemoryLimit) Kills() (n int, err error) {
	text, err := os.ReadFile(filepath.Join(l.dir, l.kills))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), "oom_kill ")
	if _, err := fmt.Sscan(rest, &n); err != nil {
		return 0, fmt.Errorf("no number of kills in %s: %w", text, err)
	}
	return n, nil
}

// Close removes the cgroup if it was made for the limit; no process may be left in it.
func (l *MemoryLimit) Close() error {
	if !l.made {
		return nil
	}
	return unix.Rmdir(l.dir)
}
