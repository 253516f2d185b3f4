// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package testnet

import (
	"errors"
	"fmt"
	"testing"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
)

// Require skips the test, with the reason, if the kernel or the privileges do not suffice. With OTELCOL_EBPF_REQUIRE_KERNEL=1
// it fails the test instead.
func Require(t testing.TB) {
	t.Helper()
	testenv.RequireKernel(t)
	if err := usable(); err != nil {
		testenv.Missing(t, err.Error())
	}
}

// HasMPTCP reports whether the kernel was built with MPTCP.
func HasMPTCP() bool {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_MPTCP)
	if err == nil {
		_ = unix.Close(fd)
	}
	return !errors.Is(err, unix.EPROTONOSUPPORT)
}

// RequireMPTCP skips the test on a kernel that was built without MPTCP.
func RequireMPTCP(t testing.TB) {
	t.Helper()
	if !HasMPTCP() {
		testenv.Lacking(t, "MPTCP")
	}
}

// usable reports why this process cannot call bpf() or make network namespaces.
func usable() error {
	// BPF_PROG_LOAD with an empty attribute returns EINVAL or EACCES with sufficient privileges, EPERM without, and ENOSYS
	// without BPF.
	const progLoad = 5
	if _, _, errno := unix.Syscall(unix.SYS_BPF, progLoad, 0, 0); errno == unix.EPERM || errno == unix.ENOSYS {
		return fmt.Errorf("bpf() is not available: %w", errno)
	}
	return inNewThread(func() error {
		handle, err := netns.New()
		if err != nil {
			return fmt.Errorf("cannot make network namespaces: %w", err)
		}
		return handle.Close()
	})
}
