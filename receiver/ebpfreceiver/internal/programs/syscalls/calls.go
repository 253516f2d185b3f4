// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	"runtime"
	"slices"
	"strconv"
	"strings"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/syscalls"
)

//go:generate go run ./internal/tables tables.go

const (
	// compat is added by the BPF side to the numbers of the 32-bit table.
	compat = int(bpf.SyscallCallLimitsCALLS_COMPAT)
	// allCalls is the number of entries.
	allCalls = int(bpf.SyscallCallLimitsCALLS)
	// unknownCall, in each table, stands for all numbers that no table can have.
	unknownCall = int(bpf.SyscallCallLimitsCALL_UNKNOWN)

	otherName = "_OTHER"
)

// x32Calls are the calls that only x32 has, from 512 on in amd64's table. The list is complete.
var x32Calls = [...]string{
	"rt_sigaction", "rt_sigreturn", "ioctl", "readv", "writev", "recvfrom", "sendmsg", "recvmsg", "execve", "ptrace",
	"rt_sigpending", "rt_sigtimedwait", "rt_sigqueueinfo", "sigaltstack", "timer_create", "mq_notify", "kexec_load",
	"waitid", "set_robust_list", "get_robust_list", "vmsplice", "move_pages", "preadv", "pwritev", "rt_tgsigqueueinfo",
	"recvmmsg", "sendmmsg", "process_vm_readv", "process_vm_writev", "setsockopt", "getsockopt", "io_setup", "io_submit",
	"execveat", "preadv2", "pwritev2",
}

const firstX32Call = 512

// names are the names of this architecture's system calls by the BPF side's numbers; "" for unused numbers.
var names = namesOn(runtime.GOARCH)

func namesOn(architecture string) (names [allCalls]string) {
	switch architecture {
	case "amd64":
		copy(names[:], amd64Calls[:])
		copy(names[firstX32Call:], x32Calls[:])
		copy(names[compat:], i386Calls[:])
	case "arm64":
		copy(names[:], arm64Calls[:])
		copy(names[compat:], armCalls[:])
	}
	names[unknownCall], names[compat+unknownCall] = otherName, otherName
	return names
}

// callName returns the name of a call. A call that is newer than the tables has its number as its name.
func callName(call int) string {
	if call < 0 || call >= allCalls {
		return otherName
	}
	if names[call] != "" {
		return names[call]
	}
	return strconv.Itoa(call % compat)
}

// everywhere has the names of system calls of all architectures, sorted.
var everywhere = func() []string {
	all := slices.Concat(amd64Calls[:], i386Calls[:], arm64Calls[:], armCalls[:])
	slices.Sort(all)
	all = slices.Compact(all)
	return slices.DeleteFunc(all, func(name string) bool { return name == "" })
}()

// isCall reports whether any architecture has a system call of that name.
func isCall(name string) bool {
	_, found := slices.BinarySearch(everywhere, name)
	return found
}

// nearest returns the system call with the most similar name.
func nearest(name string) string {
	name = strings.ToLower(name)
	return slices.MinFunc(everywhere, func(a, b string) int { return distance(name, a) - distance(name, b) })
}

// distance returns how many letters must be inserted, deleted or replaced to turn one name into the other.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// bits is a set of calls in the BPF side's format.
type bits [allCalls / 64]uint64

func (b *bits) set(call int) { b[call/64] |= 1 << (call % 64) }

func (b *bits) has(call int) bool { return b[call/64]>>(call%64)&1 != 0 }

// callsWhere returns the calls whose names are wanted.
func callsWhere(wanted func(name string) bool) (b bits) {
	for call, name := range &names {
		if wanted(name) {
			b.set(call)
		}
	}
	return b
}
