// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package traffic

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
)

// What a Loop can repeat.
const (
	// LoopCalls makes system calls that do nothing.
	LoopCalls = "calls"
	// LoopProcesses creates processes that execute a program that ends at once.
	LoopProcesses = "processes"
	// LoopDeletions creates and deletes files.
	LoopDeletions = "deletions"
	// LoopSwitches makes two threads on one CPU wake each other. Each round has two context switches.
	LoopSwitches = "switches"
	// LoopDescriptors opens and closes descriptors.
	LoopDescriptors = "descriptors"
	// LoopReads reads a block of the file or device Path, without the page cache.
	LoopReads = "reads"
	// LoopLookups sends a query of DNS to a server in the same thread, and an answer back.
	LoopLookups = "lookups"
)

// Loop repeats one operation in a single thread.
type Loop struct {
	Of    string
	Count int
	// Path is the file or device to read.
	Path string `json:",omitempty"`
}

// LoopDone is the result of a Loop.
type LoopDone struct {
	Count   int
	Elapsed time.Duration
}

// Each is the duration of one round.
func (d LoopDone) Each() time.Duration { return d.Elapsed / time.Duration(d.Count) }

// Run runs the loop in a new process. If in is not nil, the process is in that cgroup.
func (l Loop) Run(in *testhost.Cgroup) (LoopDone, error) { return work(in, loop, l) }

var loop = Define("loop", func(l Loop) (done LoopDone, err error) {
	repeat, ok := map[string]func(*Loop) error{
		LoopCalls:       (*Loop).calls,
		LoopProcesses:   (*Loop).processes,
		LoopDeletions:   (*Loop).deletions,
		LoopSwitches:    (*Loop).switches,
		LoopDescriptors: (*Loop).descriptors,
		LoopReads:       (*Loop).reads,
		LoopLookups:     (*Loop).lookups,
	}[l.Of]
	if !ok || l.Count <= 0 {
		return done, fmt.Errorf("no loop of %d %q", l.Count, l.Of)
	}
	debug.SetGCPercent(-1) // threads of the garbage collector would be switched to
	begin := time.Now()
	err = repeat(&l)
	return LoopDone{Count: l.Count, Elapsed: time.Since(begin)}, err
})

func (l *Loop) calls() error {
	for range l.Count {
		_, _, _ = unix.RawSyscall(unix.SYS_GETPPID, 0, 0, 0)
	}
	return nil
}

// nameServer is an address of the loopback interface for the server of lookups.
var nameServer = netip.MustParseAddrPort("127.53.53.53:53")

func (l *Loop) lookups() error {
	server, err := socketFor(nameServer.Addr(), unix.SOCK_DGRAM, unix.IPPROTO_UDP)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	defer closeRaw(server)
	if err := unix.Bind(server, toSockaddr(nameServer)); err != nil {
		return fmt.Errorf("bind to %s: %w", nameServer, err)
	}
	client, err := socketFor(nameServer.Addr(), unix.SOCK_DGRAM, unix.IPPROTO_UDP)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	defer closeRaw(client)
	if err := unix.Connect(client, toSockaddr(nameServer)); err != nil {
		return fmt.Errorf("connect to %s: %w", nameServer, err)
	}
	// A question for the addresses of "loop", and the answer that it has none.
	message := []byte{0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 4, 'l', 'o', 'o', 'p', 0, 0, 1, 0, 1}
	received := make([]byte, 512)
	for i := range l.Count {
		message[0], message[1], message[2] = byte(i>>8), byte(i), 1
		if err := unix.Send(client, message, 0); err != nil {
			return fmt.Errorf("send: %w", err)
		}
		n, from, err := unix.Recvfrom(server, received, 0)
		if err != nil {
			return fmt.Errorf("receive: %w", err)
		}
		received[2] |= 0x80
		if err := unix.Sendto(server, received[:n], 0, from); err != nil {
			return fmt.Errorf("answer: %w", err)
		}
		if _, err := unix.Read(client, received); err != nil {
			return fmt.Errorf("read: %w", err)
		}
	}
	return nil
}

func (l *Loop) processes() error {
	for range l.Count {
		pid, err := syscall.ForkExec("/bin/true", []string{"true"}, nil)
		if err != nil {
			return fmt.Errorf("execute /bin/true: %w", err)
		}
		if _, err := unix.Wait4(pid, nil, 0, nil); err != nil {
			return fmt.Errorf("wait: %w", err)
		}
	}
	return nil
}

func (l *Loop) deletions() error {
	dir, err := os.MkdirTemp("", "traffic")
	if err != nil {
		return err
	}
	path := filepath.Join(dir, "file")
	for range l.Count {
		fd, err := unix.Open(path, unix.O_CREAT|unix.O_WRONLY|unix.O_CLOEXEC, 0o600)
		if err != nil {
			return fmt.Errorf("open %s: %w", path, err)
		}
		closeRaw(fd)
		if err := unix.Unlink(path); err != nil {
			return fmt.Errorf("unlink %s: %w", path, err)
		}
	}
	return os.Remove(dir)
}

func (l *Loop) switches() error {
	var there, back [2]int
	if err := errors.Join(unix.Pipe2(there[:], unix.O_CLOEXEC), unix.Pipe2(back[:], unix.O_CLOEXEC)); err != nil {
		return fmt.Errorf("pipe: %w", err)
	}
	cpus, err := allowedCPUs()
	if err != nil {
		return err
	}
	ends := [2][2]int{{there[1], back[0]}, {back[1], there[0]}}
	return onThreads(len(ends), func(thread int) error {
		if err := stayOn(cpus, 0); err != nil {
			return err
		}
		send, receive := ends[thread][0], ends[thread][1]
		var b [1]byte
		one := func(call uintptr, fd int) error {
			if n, _, errno := unix.RawSyscall(call, uintptr(fd), uintptr(unsafe.Pointer(&b)), 1); n != 1 {
				return fmt.Errorf("pipe: %w", errno)
			}
			return nil
		}
		first, second := uintptr(unix.SYS_WRITE), uintptr(unix.SYS_READ)
		if thread == 1 {
			first, second, send, receive = second, first, receive, send
		}
		for range l.Count {
			if err := errors.Join(one(first, send), one(second, receive)); err != nil {
				return err
			}
		}
		return nil
	})
}

func (l *Loop) descriptors() error {
	for range l.Count {
		fd, _, errno := unix.RawSyscall(unix.SYS_DUP, 0, 0, 0)
		if errno != 0 {
			return fmt.Errorf("dup: %w", errno)
		}
		closeRaw(int(fd))
	}
	return nil
}

func (l *Loop) reads() error {
	const block = 4096
	fd, err := unix.Open(l.Path, unix.O_RDONLY|unix.O_DIRECT|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open %s: %w", l.Path, err)
	}
	defer closeRaw(fd)
	// Memory from mmap has the alignment that O_DIRECT needs.
	buffer, err := unix.Mmap(-1, 0, block, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return fmt.Errorf("mmap: %w", err)
	}
	for range l.Count {
		if n, err := unix.Pread(fd, buffer, 0); n != block {
			return fmt.Errorf("read %d bytes of %s: %w", n, l.Path, err)
		}
	}
	return unix.Munmap(buffer)
}
