// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// numberOf returns the number of a call on this architecture.
func numberOf(t testing.TB, name string) int {
	t.Helper()
	number := slices.Index(names[:], name)
	require.GreaterOrEqual(t, number, 0, name)
	return number
}

func TestNames(t *testing.T) {
	for architecture, want := range map[string]map[int]string{
		"amd64": {
			0: "read", 3: "close", 59: "execve", 202: "futex", 257: "openat", 262: "newfstatat", 281: "epoll_pwait", 334: "rseq",
			424: "pidfd_send_signal", 439: "faccessat2", 337: "", 512: "rt_sigaction", 514: "ioctl", 547: "pwritev2", 548: "",
			compat: "restart_syscall", compat + 3: "read", compat + 102: "socketcall", compat + 422: "futex_time64", compat + 472: "",
			unknownCall: "_OTHER", compat + unknownCall: "_OTHER",
		},
		"arm64": {
			0: "io_setup", 57: "close", 63: "read", 79: "newfstatat", 98: "futex", 221: "execve", 244: "", 439: "faccessat2", 514: "",
			compat: "restart_syscall", compat + 3: "read", compat + 322: "openat", compat + 281: "socket",
			unknownCall: "_OTHER", compat + unknownCall: "_OTHER",
		},
		"riscv64": {0: "", compat: ""},
	} {
		names := namesOn(architecture)
		for call, name := range want {
			assert.Equal(t, name, names[call], "%d of %s", call, architecture)
		}
	}
}

func TestCallName(t *testing.T) {
	assert.Equal(t, "close", callName(numberOf(t, "close")))
	assert.Equal(t, "600", callName(600))
	assert.Equal(t, "600", callName(compat+600))
	for _, call := range []int{unknownCall, compat + unknownCall, allCalls, -1} {
		assert.Equal(t, "_OTHER", callName(call))
	}
}

func TestIsCall(t *testing.T) {
	for name, want := range map[string]bool{
		"read": true, "_newselect": true, "arm_fadvise64_64": true, "": false, "_OTHER": false, "READ": false, "arch_specific_syscall": false,
	} {
		assert.Equal(t, want, isCall(name), name)
	}
	assert.True(t, slices.IsSorted(everywhere))
}

// Each name in the program's tables is a system call.
func TestKindsAreCalls(t *testing.T) {
	seen := map[string]bool{}
	for _, list := range append(slices.Collect(maps.Values(kinds)), noreturn) {
		assert.True(t, slices.IsSorted(list), list)
		for _, name := range list {
			assert.True(t, isCall(name), name)
			assert.False(t, seen[name], "%s has two kinds", name)
			seen[name] = true
		}
	}
	for _, name := range x32Calls {
		assert.True(t, isCall(name), name)
	}
}

func TestNearest(t *testing.T) {
	for name, want := range map[string]string{"opnat": "openat", "epollwait": "epoll_wait", "reed": "read", "fsinc": "fsync", "getPid": "getpid"} {
		assert.Equal(t, want, nearest(name))
	}
	assert.NotEmpty(t, nearest(""))
}

func TestDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0}, {"abc", "axc", 1}, {"abc", "bc", 1}, {"abc", "abcd", 1}, {"kitten", "sitting", 3}} {
		assert.Equal(t, tt.want, distance(tt.a, tt.b), "%s %s", tt.a, tt.b)
	}
}

func TestBits(t *testing.T) {
	b := callsWhere(func(name string) bool { return name == "close" })
	for call, name := range names {
		assert.Equal(t, name == "close", b.has(call), call)
	}
}
