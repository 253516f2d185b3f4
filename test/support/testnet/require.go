// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package testnet

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// RequireEnv is the variable that turns a skipped kernel test into a failed one; CI sets it to 1.
const RequireEnv = "OTELCOL_EBPF_REQUIRE_KERNEL"

// Disposable is whether this kernel ends with the tests, so that what can't be undone does not matter:
// OTELCOL_EBPF_TEST_DISPOSABLE=1 says so.
func Disposable() bool { return os.Getenv("OTELCOL_EBPF_TEST_DISPOSABLE") == "1" }

// Patiently is how long a test waits for what usually comes within d: OTELCOL_EBPF_TEST_PATIENCE times as long, which is
// for machines as slow as emulated ones.
func Patiently(d time.Duration) time.Duration {
	n, err := strconv.Atoi(os.Getenv("OTELCOL_EBPF_TEST_PATIENCE"))
	if err != nil || n < 1 {
		n = 1
	}
	return time.Duration(n) * d
}

// Require skips the test, saying why, where the kernel or its privileges cannot carry it.
// With OTELCOL_EBPF_REQUIRE_KERNEL=1 it fails the test instead.
func Require(t testing.TB) {
	t.Helper()
	if err := usable(); err != nil {
		Skip(t, err.Error())
	}
}

// Skip skips the test for something that this environment lacks; with OTELCOL_EBPF_REQUIRE_KERNEL=1 it fails it.
func Skip(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv(RequireEnv) == "1" {
		t.Fatalf("%s=1, but this test cannot run: %s", RequireEnv, reason)
	}
	t.Skip(reason)
}

// Lacking skips the test for what this kernel, and nothing else here, lacks: there is nothing that could go wrong. The
// kernels that may are listed beside the test's name in test/tools/vmtest; where CI runs, each skip is a failure.
func Lacking(t testing.TB, what string) {
	t.Helper()
	t.Skip("this kernel lacks " + what)
}

// HasMPTCP is whether the kernel was built with MPTCP.
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
		Lacking(t, "MPTCP")
	}
}

// usable reports what keeps a kernel test from running here.
func usable() error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("kernel tests need root: they load eBPF programs and make network namespaces")
	}
	if _, err := os.Stat("/sys/kernel/btf/vmlinux"); err != nil {
		return fmt.Errorf("this kernel has no BTF: %w", err)
	}
	// BPF_PROG_LOAD with an empty attribute is EINVAL or EACCES for who may call it, EPERM for who may not, ENOSYS without BPF.
	const progLoad = 5
	if _, _, errno := unix.Syscall(unix.SYS_BPF, progLoad, 0, 0); errno == unix.EPERM || errno == unix.ENOSYS {
		return fmt.Errorf("bpf() is not available here: %w", errno)
	}
	return inNewThread(func() error {
		handle, err := netns.New()
		if err != nil {
			return fmt.Errorf("network namespaces cannot be made here: %w", err)
		}
		return handle.Close()
	})
}
