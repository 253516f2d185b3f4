// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package syscalls

import "slices"

// noreturn are the calls that do not return.
var noreturn = []string{"exit", "exit_group"}

// blocking are the calls that wait by design: for time, for other threads and processes, for peers.
var blocking = []string{
	"_newselect", "accept", "accept4", "clock_nanosleep", "clock_nanosleep_time64", "epoll_pwait", "epoll_pwait2", "epoll_wait",
	"epoll_wait_old", "futex", "futex_time64", "futex_wait", "futex_waitv", "io_getevents", "io_pgetevents",
	"io_pgetevents_time64", "io_uring_enter", "ipc", "mq_timedreceive", "mq_timedreceive_time64", "mq_timedsend",
	"mq_timedsend_time64", "msgrcv", "msgsnd", "nanosleep", "pause", "poll", "ppoll", "ppoll_time64", "pselect6",
	"pselect6_time64", "recv", "recvfrom", "recvmmsg", "recvmmsg_time64", "recvmsg", "restart_syscall", "rt_sigsuspend",
	"rt_sigtimedwait", "rt_sigtimedwait_time64", "select", "semop", "semtimedop", "semtimedop_time64", "send", "sendmmsg",
	"sendmsg", "sendto", "sigsuspend", "socketcall", "splice", "syslog", "tee", "vmsplice", "wait4", "waitid", "waitpid",
}

// blockingUnlessFile are the calls that wait by design, unless their first argument is a descriptor of a file, a directory or
// a disk.
var blockingUnlessFile = []string{"ioctl", "read", "readv", "sendfile", "sendfile64", "write", "writev"}

func isOneOf(list []string) func(name string) bool {
	return func(name string) bool { return slices.Contains(list, name) }
}
