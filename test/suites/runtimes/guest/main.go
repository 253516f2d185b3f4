// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

// The program in the containers of the test. It begins its work when a file appears, and writes what it did to another file.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// shared is where the folder is mounted that the test reads and writes, too.
	shared = "/shared"
	// datagrams are more than a small receive buffer holds.
	datagrams, datagramSize = 40, 1000
)

// Done is what a guest did.
type Done struct {
	// PID and Child are process ids in the guest's own namespace: its own, and that of a process that it started.
	PID, Child int
	// Refused is the port of a refused connection.
	Refused uint16
	// DropPort is the port of a socket whose receive buffer was full, Drops how many datagrams the kernel says were dropped there.
	DropPort uint16
	Drops    uint32
}

func main() {
	var err error
	switch len(os.Args) {
	case 1:
		// The child of a guest.
	case 2:
		err = loopbackUp()
	default:
		err = run(os.Args[1], os.Args[2])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run does what an argument says, under a name.
func run(what, name string) error {
	switch what {
	case "serve": // works when its file appears, and leaks pipes after that
		awaitFile(name + ".go")
		if err := workAndTell(name); err != nil {
			return err
		}
		return leak()
	case "work":
		return workAndTell(name)
	case "greedy": // allocates memory when its file appears, until it is killed
		awaitFile(name + ".go")
		for taken := [][]byte{}; alive(); {
			page := make([]byte, 1<<20)
			for i := 0; i < len(page); i += 4096 {
				page[i] = 1
			}
			taken = append(taken, page)
		}
		return errors.New("the test has ended")
	}
	return fmt.Errorf("unknown argument %q", what)
}

func awaitFile(name string) {
	for alive() {
		if _, err := os.Stat(filepath.Join(shared, name)); err == nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func workAndTell(name string) error {
	done, err := work()
	if err != nil {
		return err
	}
	text, err := json.Marshal(done)
	if err != nil {
		return err
	}
	path := filepath.Join(shared, name+".json")
	if err := os.WriteFile(path+".part", text, 0o666); err != nil {
		return err
	}
	return os.Rename(path+".part", path)
}

func work() (done Done, err error) {
	done.PID = os.Getpid()
	child := exec.Command("/proc/self/exe")
	child.Args[0] = "/guest"
	if err := child.Run(); err != nil {
		return done, fmt.Errorf("start a child: %w", err)
	}
	done.Child = child.Process.Pid
	if done.Refused, err = connectRefused(); err != nil {
		return done, err
	}
	done.DropPort, done.Drops, err = drops()
	return done, err
}

// connectRefused connects to a port of the loopback where nobody listens.
func connectRefused() (port uint16, err error) {
	free, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	address := free.Addr().String()
	if err := free.Close(); err != nil {
		return 0, err
	}
	c, err := net.Dial("tcp4", address)
	if err == nil {
		return 0, errors.Join(errors.New("a closed port is open"), c.Close())
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return 0, err
	}
	return uint16(free.Addr().(*net.TCPAddr).Port), nil
}

// drops sends datagrams to a socket that nobody reads from.
func drops() (port uint16, dropped uint32, err error) {
	receiver, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = receiver.Close() }()
	if err := receiver.SetReadBuffer(1); err != nil {
		return 0, 0, err
	}
	sender, err := net.Dial("udp4", receiver.LocalAddr().String())
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = sender.Close() }()
	for range datagrams {
		if _, err := sender.Write(make([]byte, datagramSize)); err != nil {
			return 0, 0, err
		}
	}
	raw, err := receiver.SyscallConn()
	if err != nil {
		return 0, 0, err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { dropped, failed = socketDrops(int(fd)) }); err != nil {
		return 0, 0, err
	}
	return uint16(receiver.LocalAddr().(*net.UDPAddr).Port), dropped, failed
}

// leak opens a pipe ten times a second, up to what a process may have.
func leak() error {
	var ends []*os.File
	for range 200 {
		if !alive() {
			break
		}
		r, w, err := os.Pipe()
		if err != nil {
			return err
		}
		ends = append(ends, r, w)
		time.Sleep(100 * time.Millisecond)
	}
	for alive() {
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("the test has ended before %d pipes were closed", len(ends))
}

// alive reports whether the test still runs. The end of the test removes its folder, and its guests end.
func alive() bool {
	entries, err := os.ReadDir(shared)
	return err == nil && len(entries) > 0
}

// loopbackUp gives a new network namespace its loopback interface.
func loopbackUp() error {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(socket)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, request)
}
