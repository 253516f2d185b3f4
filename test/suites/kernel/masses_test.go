// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

// masses is a hundred thousand short-lived processes (ten thousand with -short) that ran while a receiver did.
type masses struct {
	r         *testreceiver.Receiver
	shell     *traffic.Agent
	container *testhost.Cgroup
	// count is how many processes the program that the shell ran has made.
	count int
}

// Many short-lived processes leave nothing in the maps of the programs that keep an entry per process or thread: all are
// counted, and later ones are reported.
func TestProcessesInMasses(t *testing.T) {
	testnet.Require(t)
	m := masses{count: 100_000}
	if testing.Short() {
		m.count = 10_000
	}
	m.shell, m.container = newShell(t)
	m.r = testreceiver.Start(t, `
collection_interval: 200ms
programs:
  process: {}
  file_descriptor: {leak_intervals: 5}
  runqueue: {}
  syscall: {events: false, syscalls: [wait4, dup]}`)
	m.shell.OpenDescriptors("timerfd", 200)
	m.shell.Fork(m.count)
	t.Run("process", m.checkProcess)
	t.Run("file_descriptor", m.checkFileDescriptor)
	t.Run("runqueue", m.checkRunqueue)
	t.Run("syscall", m.checkSyscall)
}

func (m masses) checkProcess(t *testing.T) {
	count := m.count + 1 // the process that created them
	s := m.r.Scrape(t)
	assert.Equal(t, count, s.In(m.container).Int(exitsMetric, nil))
	assert.Equal(t, 1, s.In(m.container).Int(executionsMetric, nil))
	exits := func() int { return len(m.r.Events.Matching(testreceiver.Named(exitEvent), inContainer(m.container))) }
	require.True(t, testreceiver.Eventually(func() bool {
		all := 0
		for _, n := range lost(m.r.Scrape(t), "process") {
			all += n
		}
		return all+exits() >= count
	}), "%d events, lost %v", exits(), lost(m.r.Scrape(t), "process"))
	assert.LessOrEqual(t, exits(), count)

	program := traffic.Executable(t, "kernel-test-program")
	ran(t, m.r, m.shell, m.container, traffic.Command{Path: program, Args: []string{"x"}}, program, nil)
	after := m.r.Scrape(t).In(m.container)
	assert.Equal(t, count+1, after.Int(exitsMetric, nil))
	assert.Equal(t, 2, after.Int(executionsMetric, nil))
}

func (m masses) checkFileDescriptor(t *testing.T) {
	s := m.r.Scrape(t)
	assert.Equal(t, traffic.OpenDescriptorsOf(t, m.shell.PID, 0), openOf(t, s.In(m.container), m.shell.PID, m.shell.Executable))
	for _, series := range s.In(m.container).Series(openMetric) {
		assert.Equal(t, strconv.Itoa(m.shell.PID), series.Attributes["process.pid"])
	}
	assert.Empty(t, m.r.Events.Matching(testreceiver.Named(leakEvent), inContainer(m.container)))
	assert.Empty(t, lost(s, "file_descriptor"))
}

func (m masses) checkRunqueue(t *testing.T) {
	assert.GreaterOrEqual(t, waited(m.r.Scrape(t), m.container).Count, m.count)
	a, other := newWaiting(t)
	openAccount(t, m.r, a, other).compare(t, 2*1000, func() {
		a.TakeTurns(0, 1000)
		a.Compete(6, 200)
	})
	assert.Empty(t, lost(m.r.Scrape(t), "runqueue"))
}

func (m masses) checkSyscall(t *testing.T) {
	// Threads that end in a call leave nothing behind either.
	for range 100 {
		m.shell.OnThread("short-lived").Make(traffic.Calls{Number: unix.SYS_DUP, Args: [4]uintptr{noFD}, Count: 1})
	}
	s := m.r.Scrape(t)
	made, _ := callCount(s.In(m.container), "wait4")
	assert.GreaterOrEqual(t, made, m.count)
	// Go waits for the shell's two children with waitid first.
	assert.LessOrEqual(t, made, m.count+4)
	assert.Equal(t, 100, callErrors(s.In(m.container), "dup", "ebadf"))
	assert.Empty(t, lost(s, "syscall"))

	caller, container := newCaller(t, "kernel-test-caller")
	caller.Make(traffic.Calls{Number: unix.SYS_DUP, Args: [4]uintptr{noFD}, Count: 1000})
	assert.Equal(t, 1000, callErrors(m.r.Scrape(t).In(container), "dup", "ebadf"))
}
