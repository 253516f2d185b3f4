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
	// kills is the file with the kernel's own count of kills.
	kills string
	// made is whether the cgroup was made for the limit.
	made bool
}

// errNoMemoryController is when nothing limits memory here.
var errNoMemoryController = errors.New("there is no memory controller, neither of cgroup version 2 nor at " + memoryV1)

// memoryV1 is where the memory controller of version 1 is, if it is one of that.
const memoryV1 = "/sys/fs/cgroup/memory"

// LimitMemory limits the memory of processes in the cgroup of a path below the root of the cgroup2 hierarchy, which is
// made if need be. Where the memory controller is one of version 1, the limit is that of a group of that version.
func LimitMemory(path string, bytes int) (*MemoryLimit, error) {
	root, err := cgroup2()
	if err != nil {
		return nil, err
	}
	controllers, err := os.ReadFile(filepath.Join(root, "cgroup.controllers"))
	if err != nil {
		return nil, err
	}
	l := &MemoryLimit{dir: root, kills: "memory.events"}
	settings := map[string]string{"memory.max": strconv.Itoa(bytes), "memory.swap.max": "0"}
	if strings.Contains(string(controllers), "memory") {
		for name := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
			if err := write(filepath.Join(l.dir, "cgroup.subtree_control"), "+memory"); err != nil {
				return nil, err
			}
			l.dir = filepath.Join(l.dir, name)
			err := os.Mkdir(l.dir, 0o755)
			if err != nil && !errors.Is(err, os.ErrExist) {
				return nil, err
			}
			l.made = err == nil
		}
	} else {
		if _, err := os.Stat(filepath.Join(memoryV1, "memory.limit_in_bytes")); err != nil {
			return nil, errNoMemoryController
		}
		l.dir, l.kills, l.made = filepath.Join(memoryV1, strings.ReplaceAll(strings.Trim(path, "/"), "/", "-")), "memory.oom_control", true
		settings = map[string]string{"memory.limit_in_bytes": strconv.Itoa(bytes), "memory.swappiness": "0"}
		if err := os.Mkdir(l.dir, 0o755); err != nil {
			return nil, err
		}
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

func write(path, text string) error { return os.WriteFile(path, []byte(text), 0) }
