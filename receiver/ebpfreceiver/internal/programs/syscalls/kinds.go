// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	"slices"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/syscalls"
)

// noreturn are the calls that do not return.
var noreturn = []string{"exit", "exit_group"}

// kinds are the calls that are not ordinary ones, by their kinds.
var kinds = map[bpf.SyscallCallKind][]string{
	// For time, for other threads and processes, for locks, for peers.
	bpf.SyscallCallKindKIND_WAITS: {
		"_newselect", "accept", "accept4", "clock_nanosleep", "clock_nanosleep_time64", "connect", "epoll_pwait",
		"epoll_pwait2", "epoll_wait", "epoll_wait_old", "flock", "futex", "futex_time64", "futex_wait", "futex_waitv",
		"io_getevents", "io_pgetevents", "io_pgetevents_time64", "io_uring_enter", "ipc", "mq_timedreceive",
		"mq_timedreceive_time64", "mq_timedsend", "mq_timedsend_time64", "msgrcv", "msgsnd", "nanosleep", "pause", "poll",
		"ppoll", "ppoll_time64", "pselect6", "pselect6_time64", "recv", "recvfrom", "recvmmsg", "recvmmsg_time64", "recvmsg",
		"restart_syscall", "rt_sigsuspend", "rt_sigtimedwait", "rt_sigtimedwait_time64", "select", "semop", "semtimedop",
		"semtimedop_time64", "send", "sendmmsg", "sendmsg", "sendto", "sigsuspend", "socketcall", "splice", "syslog", "tee",
		"vfork", "vmsplice", "wait4", "waitid", "waitpid",
	},
	bpf.SyscallCallKindKIND_WAITS_UNLESS_FILE: {
		"ioctl", "preadv2", "pwritev2", "read", "readv", "sendfile", "sendfile64", "write", "writev",
	},
	bpf.SyscallCallKindKIND_OPENS:     {"creat", "open", "open_by_handle_at", "openat", "openat2"},
	bpf.SyscallCallKindKIND_FCNTL:     {"fcntl", "fcntl64"},
	bpf.SyscallCallKindKIND_CLONES:    {"clone"},
	bpf.SyscallCallKindKIND_CLONES3:   {"clone3"},
	bpf.SyscallCallKindKIND_NO_RESULT: {"rt_sigreturn", "sigreturn"},
}

// kindsByCall returns the kind of each call, as the BPF side has it.
func kindsByCall() (byCall [allCalls]uint8) {
	byName := map[string]uint8{}
	for kind, list := range kinds {
		for _, name := range list {
			byName[name] = uint8(kind)
		}
	}
	for call, name := range &names {
		byCall[call] = byName[name]
	}
	return byCall
}

// hasResult reports whether a call returns a result of its own.
func hasResult(name string) bool {
	return !slices.Contains(kinds[bpf.SyscallCallKindKIND_NO_RESULT], name)
}
