// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package traffic

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
)

// Calls is a system call to make several times.
type Calls struct {
	Number uintptr
	Args   [4]uintptr
	// Text and Time are data for arguments that are pointers. At most one is set. The indices say which arguments point to
	// it.
	Text      string
	Time      time.Duration
	Arguments []int
	Count     int
}

// Made is the result of Calls: the last return value, and a span of time in which all calls were made.
type Made struct {
	Result     uintptr
	Errno      unix.Errno
	Start, End time.Time
}

var makeCalls = Define("syscall.make", func(c Calls) (m Made, err error) {
	var pinner runtime.Pinner
	defer pinner.Unpin()
	text, err := unix.BytePtrFromString(c.Text)
	if err != nil {
		return m, err
	}
	length := unix.NsecToTimespec(c.Time.Nanoseconds())
	pinner.Pin(text)
	pinner.Pin(&length)
	args := c.Args
	for _, i := range c.Arguments {
		args[i] = uintptr(unsafe.Pointer(text))
		if c.Time != 0 {
			args[i] = uintptr(unsafe.Pointer(&length))
		}
	}
	m.Start = time.Now()
	for range c.Count {
		m.Result, _, m.Errno = unix.RawSyscall6(c.Number, args[0], args[1], args[2], args[3], 0, 0)
	}
	m.End = time.Now()
	return m, nil
})

// Make makes raw system calls in the agent. The Go runtime does not know of them.
func (a *Agent) Make(c Calls) Made {
	a.t.Helper()
	return makeCalls.Call(a, c)
}

type unknownCallsArgs struct {
	// Dir is the directory of the parent cgroup, Home that of the cgroup to return to.
	Dir, Home      string
	Cgroups, Calls int
}

// FirstUnknownCall is a number that is not a system call.
const FirstUnknownCall = 600

var makeUnknownCalls = Define("syscall.unknown", func(args unknownCallsArgs) (Nothing, error) {
	move := func(dir string) error {
		return os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte("0"), 0o600)
	}
	for i := range args.Cgroups {
		dir := filepath.Join(args.Dir, strconv.Itoa(i))
		if err := errors.Join(os.Mkdir(dir, 0o755), move(dir)); err != nil {
			return Nothing{}, err
		}
		for call := range args.Calls {
			if _, _, errno := unix.RawSyscall(uintptr(FirstUnknownCall+call), 0, 0, 0); errno != unix.ENOSYS {
				return Nothing{}, errno
			}
		}
		if err := errors.Join(move(args.Home), unix.Rmdir(dir)); err != nil {
			return Nothing{}, err
		}
	}
	return Nothing{}, nil
})

// MakeUnknownCalls makes calls with so many unused system call numbers in each of so many new cgroups, one after the other.
func (a *Agent) MakeUnknownCalls(inside *testhost.Cgroup, cgroups, calls int) {
	a.t.Helper()
	root := testhost.CgroupRoot(a.t)
	makeUnknownCalls.Call(a, unknownCallsArgs{Dir: filepath.Join(root, inside.Path), Home: root, Cgroups: cgroups, Calls: calls})
}
