// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package traffic

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
)

// Memory is a process's memory use in bytes, according to /proc.
type Memory struct {
	Total, Anonymous, File, Shmem, Swap, PageTables int
	// Score is oom_score, by which the kernel chooses its victim.
	Score int
}

type holdArgs struct{ Anonymous, Shared, ScoreAdjust int }

var hold = Define("memory.hold", func(args holdArgs) (Memory, error) {
	if err := os.WriteFile("/proc/self/oom_score_adj", []byte(fmt.Sprint(args.ScoreAdjust)), 0); err != nil {
		return Memory{}, err
	}
	if err := fill(args.Anonymous, unix.MAP_PRIVATE); err != nil {
		return Memory{}, err
	}
	if err := fill(args.Shared, unix.MAP_SHARED); err != nil {
		return Memory{}, err
	}
	return ownMemory()
})

// fill allocates that much memory until the process ends, without huge pages.
func fill(bytes, flags int) error {
	if bytes == 0 {
		return nil
	}
	data, err := unix.Mmap(-1, 0, bytes, unix.PROT_READ|unix.PROT_WRITE, flags|unix.MAP_ANONYMOUS)
	if err != nil {
		return fmt.Errorf("mapping %d bytes: %w", bytes, err)
	}
	for i := 0; i < bytes; i += os.Getpagesize() {
		data[i] = 1
	}
	return nil
}

func ownMemory() (m Memory, err error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return m, err
	}
	for key, value := range map[string]*int{
		"VmSize": &m.Total, "RssAnon": &m.Anonymous, "RssFile": &m.File, "RssShmem": &m.Shmem, "VmSwap": &m.Swap, "VmPTE": &m.PageTables,
	} {
		_, rest, ok := strings.Cut(string(status), "\n"+key+":")
		if !ok {
			return m, fmt.Errorf("no %s in %s", key, status)
		}
		if _, err := fmt.Sscan(rest, value); err != nil {
			return m, err
		}
		*value <<= 10
	}
	text, err := os.ReadFile("/proc/self/oom_score")
	if err != nil {
		return m, err
	}
	_, err = fmt.Sscan(string(text), &m.Score)
	return m, err
}

// HoldMemory allocates anonymous and shared memory in the agent, and sets its oom_score_adj.
func (a *Agent) HoldMemory(anonymous, shared, scoreAdjust int) Memory {
	a.t.Helper()
	return hold.Call(a, holdArgs{Anonymous: anonymous, Shared: shared, ScoreAdjust: scoreAdjust})
}

// TryHoldMemory allocates more memory in the agent than its limit allows. An error means that the agent was killed.
func (a *Agent) TryHoldMemory(anonymous int) error {
	_, err := hold.Try(a, holdArgs{Anonymous: anonymous})
	return err
}

// Exceed makes a process exceed the memory limit, and returns when the kernel has killed it.
func Exceed(limit *testhost.MemoryLimit) error {
	before, err := limit.Kills()
	if err != nil {
		return err
	}
	w, err := startWorker(nil)
	if err != nil {
		return err
	}
	defer w.kill()
	if err := limit.Add(w.cmd.Process.Pid); err != nil {
		return err
	}
	_, ended := hold.ask(w.child, "", holdArgs{Anonymous: 1 << 30})
	w.kill()
	after, err := limit.Kills()
	if err == nil && after == before {
		err = fmt.Errorf("the process was not killed for its memory: %w", ended)
	}
	return err
}
