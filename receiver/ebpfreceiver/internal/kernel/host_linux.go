// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"math"

	"golang.org/x/sys/unix"
)

// ThisHost returns the host that this process runs on.
func ThisHost() *Host {
	return &Host{
		Root:             "/",
		Release:          release,
		Capabilities:     effectiveCapabilities,
		MemlockUnlimited: memlockUnlimited,
		UnlimitMemlock:   unlimitMemlock,
		BPF:              callBPF,
		PerfEventOpen:    callPerfEventOpen,
		Inode:            inode,
	}
}

func release() (string, error) {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return "", err
	}
	return unix.ByteSliceToString(name.Release[:]), nil
}

// effectiveCapabilities returns those of the calling thread. Go keeps them equal in all threads.
func effectiveCapabilities() (Capabilities, error) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return 0, err
	}
	return Capabilities(data[1].Effective)<<32 | Capabilities(data[0].Effective), nil
}

func memlockUnlimited() bool {
	var limit unix.Rlimit
	err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &limit)
	return err == nil && limit.Cur == math.MaxUint64
}

func unlimitMemlock() error {
	return unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY})
}

// callBPF tries to create a map of an invalid type. This fails with EINVAL unless bpf() is forbidden.
func callBPF() error {
	_, _, errno := unix.Syscall(unix.SYS_BPF, unix.BPF_MAP_CREATE, 0, 0)
	return refusal(errno, unix.EINVAL)
}

// callPerfEventOpen tries to open an event without a description. This fails with EFAULT unless perf_event_open() is
// forbidden.
func callPerfEventOpen() error {
	_, _, errno := unix.Syscall6(unix.SYS_PERF_EVENT_OPEN, 0, 0, 0, 0, 0, 0)
	return refusal(errno, unix.EFAULT)
}

func refusal(errno, mistake unix.Errno) error {
	if errno == 0 || errno == mistake {
		return nil
	}
	return errno
}

func inode(path string) (uint64, error) {
	var stat unix.Stat_t
	if err := unix.Stat(path, &stat); err != nil {
		return 0, err
	}
	return stat.Ino, nil
}
