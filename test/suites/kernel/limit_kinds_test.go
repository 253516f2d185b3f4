// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"fmt"
	"math"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

// kindsLimit is an event limit. The share of one kind is more than fewOfKind.
const (
	kindsLimit = 160
	fewOfKind  = 5
)

// underStorm repeats storm until the program's limit is reached, and then calls act some times while storm goes on. after is how long the
// storm continues after that.
func underStorm(t *testing.T, r *testreceiver.Receiver, program string, storm, act func(), after time.Duration) {
	t.Helper()
	var over atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		for !over.Load() {
			storm()
		}
	}()
	defer func() {
		over.Store(true)
		<-done
	}()
	r.ScrapeUntil(t, func(m testreceiver.Scrape) bool { return lost(m, program)["rate_limit"] > 0 })
	// The time within the second does not matter: the limit is reached soon after its beginning.
	for range fewOfKind {
		time.Sleep(50 * time.Millisecond)
		act()
	}
	time.Sleep(after)
}

// A storm of connections that succeed does not hide those that fail.
func TestConnectionEventLimitOfErrors(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, fmt.Sprintf("exclude: {cidrs: %s}\nprograms: {connection: {event_limit: %d}}", testreceiver.AllBut(testnet.Prefix4), kindsLimit))
	s := newClientServer(t)
	listener := s.server.Listen(traffic.Addr(testnet.Right.IPv4, 0))
	s.server.Serve(listener.FD, math.MaxInt)
	other := traffic.Start(t, s.left)
	underStorm(t, r, "connection", func() { s.client.Flood(listener.Local, 500, 0) }, func() {
		require.Equal(t, unix.ECONNREFUSED, other.Connect(traffic.Addr(testnet.Right.IPv4, closedPort)).Errno)
	}, 0)
	assert.Len(t, r.Wait(t, fewOfKind, testreceiver.Named(connectEvent), testreceiver.OfProcess(other.PID), testreceiver.With("error.type", "refused")), fewOfKind)
}

// A storm of resets does not hide retransmits.
func TestTCPEventLimitOfKinds(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, fmt.Sprintf("programs: {tcp: {event_limit: %d}}", kindsLimit))
	s := newClientServer(t)
	const port = 7904
	s.right.AddFilter(t, testnet.Filter{Hook: testnet.Input, Protocol: unix.IPPROTO_TCP, Port: port})
	other := traffic.Start(t, s.left)
	underStorm(t, r, "tcp", func() {
		s.client.Close(s.client.Connect(traffic.Addr(testnet.Right.IPv4, closedPort)).FD)
	}, func() {
		other.StartConnect(traffic.Addr(testnet.Right.IPv4, port))
	}, 1200*time.Millisecond) // a SYN is retransmitted after a second
	events := r.Wait(t, fewOfKind, testreceiver.Named(retransmitEvent), testreceiver.OfProcess(other.PID))
	assert.GreaterOrEqual(t, len(events), fewOfKind)
}

// A storm of processes that succeed does not hide those that fail.
func TestProcessEventLimitOfKinds(t *testing.T) {
	testnet.Require(t)
	shell, _ := newShell(t)
	other, container := newShell(t)
	r := testreceiver.Start(t, fmt.Sprintf("programs: {process: {event_limit: %d}}", kindsLimit))
	program := traffic.Executable(t, "kernel-test-program")
	underStorm(t, r, "process", func() { shell.Fork(500) }, func() { other.Run(traffic.Command{Path: program, End: 7}) }, 0)
	assert.Len(t, r.Wait(t, fewOfKind, testreceiver.Named(exitEvent), inContainer(container)), fewOfKind)
}

// A storm of deletions does not hide those that fail.
func TestFileEventLimitOfErrors(t *testing.T) {
	s := newFileTest(t, fmt.Sprintf("programs: {file: {event_limit: %d}}", kindsLimit))
	dir := testhost.NewTmpfs(t)
	touch(t, dir, "full/", "full/x")
	path := filepath.Join(dir, "full")
	other := traffic.Start(t, testnet.NewNamespace(t))
	storm := testhost.NewTmpfs(t)
	underStorm(t, s.Receiver, "file", func() { s.agent.DeleteMany(storm, 1000) }, func() {
		require.Equal(t, unix.ENOTEMPTY, other.CallFile(traffic.FileCall{Call: "rmdir", Path: path}).Errno)
	}, 0)
	assert.Len(t, s.Wait(t, fewOfKind, testreceiver.Named(deleteEvent), testreceiver.With("file.path", path)), fewOfKind)
}

// A storm of one slow call does not hide another call.
func TestSyscallEventLimitOfCalls(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, fmt.Sprintf("programs: {syscall: {syscalls: [clock_nanosleep, rt_sigtimedwait], executables: [kernel-test-caller], threshold: 50µs, waiting: true, event_limit: %d}}", kindsLimit))
	a, _ := newCaller(t, "kernel-test-caller")
	other, container := newCaller(t, "kernel-test-caller")
	underStorm(t, r, "syscall", func() { a.Make(sleeping(100*time.Microsecond, 1000)) }, func() {
		other.Make(awaitingNoSignal(200*time.Microsecond, 1))
	}, 0)
	events := r.Wait(t, fewOfKind, testreceiver.Named(slowEvent), inContainer(container), testreceiver.With(callKey, "rt_sigtimedwait"))
	assert.Len(t, events, fewOfKind)
}
