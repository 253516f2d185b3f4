// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

// vfork waits until the child has ended or executed a program. It is a slow call only if blocking calls are included.
func TestSyscallsOfVfork(t *testing.T) {
	testnet.Require(t)
	for name, waiting := range map[string]bool{"left out": false, "asked for": true} {
		t.Run(name, func(t *testing.T) {
			shell, container := newShell(t)
			r := testreceiver.Start(t, fmt.Sprintf("programs: {connection: {}, syscall: {syscalls: [vfork], threshold: 50ms, waiting: %t}}", waiting))
			shell.Vfork()
			events := r.Exactly(t, map[bool]int{true: 1}[waiting], testreceiver.Named(slowEvent), inContainer(container))
			for _, e := range events {
				assert.Equal(t, "vfork", e.Attributes[callKey])
				assert.InDelta(t, traffic.VforkTime.Seconds(), e.Attributes[callDurationKey], 1)
			}
			count, sum := callCount(r.Scrape(t).In(container), "vfork")
			assert.Equal(t, 1, count)
			assert.GreaterOrEqual(t, sum, traffic.VforkTime)
		})
	}
}

// 32-bit processes use other numbers for the same calls, and x32 has some numbers of its own.
func TestSyscallsOfOtherTables(t *testing.T) {
	testnet.Require(t)
	shell, container := newShell(t)
	// If they are refused, the process sends itself a signal that ends it. For that it asks for its id.
	refused := shell.TryCompatDups()
	r := testreceiver.Start(t, "programs: {syscall: {syscalls: [dup, socket, ioctl, getpid, syslog]}}")
	made := 0
	if refused != nil {
		t.Logf("this kernel has no calls of 32-bit processes: %v", refused)
	} else {
		require.NoError(t, shell.TryCompatDups())
		made = traffic.CompatDups
	}
	const x32, ioctl = 0x40000000, 514
	failed := map[unix.Errno]string{unix.EBADF: "ebadf", unix.ENOSYS: "enosys"} // most kernels are built without x32
	dup := shell.Make(traffic.Calls{Number: x32 + unix.SYS_DUP, Args: [4]uintptr{noFD}, Count: 30})
	shell.Make(traffic.Calls{Number: x32 + ioctl, Args: [4]uintptr{noFD}, Count: 40})

	m := r.Scrape(t).In(container)
	want := map[string]int{"ebadf": made}
	want[failed[dup.Errno]] += 30
	for errorType, n := range want {
		assert.Equal(t, n, callErrors(m, "dup", errorType), errorType)
	}
	assert.Equal(t, 40, callErrors(m, "ioctl", failed[dup.Errno]))
	for _, name := range []string{"socket", "getpid", "syslog"} {
		count, _ := callCount(m, name)
		assert.Zero(t, count, name)
	}
}
