// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package traffic

import (
	"errors"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

type interruptedArgs struct {
	Path     string
	Listener int
	Signals  int
	Restart  bool
}

// signalAction is the kernel's struct sigaction.
type signalAction struct {
	handler, flags, restorer uintptr
	mask                     uint64
}

// setRestart sets whether the kernel restarts a system call that the signal interrupted (SA_RESTART).
func setRestart(signal unix.Signal, restart bool) error {
	const size, saRestart = unsafe.Sizeof(uint64(0)), 0x10000000
	var action signalAction
	if _, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(signal), 0, uintptr(unsafe.Pointer(&action)), size, 0, 0); errno != 0 {
		return fmt.Errorf("rt_sigaction: %w", errno)
	}
	action.flags &^= saRestart
	if restart {
		action.flags |= saRestart
	}
	if _, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(signal), uintptr(unsafe.Pointer(&action)), 0, size, 0, 0); errno != 0 {
		return fmt.Errorf("rt_sigaction: %w", errno)
	}
	return nil
}

var connectInterrupted = Define("unix.connectInterrupted", func(args interruptedArgs) (Conn, error) {
	const pause = 50 * time.Millisecond
	if err := setRestart(unix.SIGUSR2, args.Restart); err != nil {
		return Conn{}, err
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return Conn{}, fmt.Errorf("socket: %w", err)
	}
	process, thread := unix.Getpid(), unix.Gettid()
	disturbed := make(chan error, 1)
	go func() {
		var errs []error
		for range args.Signals {
			time.Sleep(pause)
			errs = append(errs, unix.Tgkill(process, thread, unix.SIGUSR2))
		}
		time.Sleep(pause)
		accepted, _, err := unix.Accept4(args.Listener, unix.SOCK_CLOEXEC)
		disturbed <- errors.Join(append(errs, err, unix.Close(accepted))...)
	}()
	span, errno, err := timed(func() error { return unix.Connect(fd, &unix.SockaddrUnix{Name: args.Path}) })
	if err := errors.Join(err, <-disturbed); err != nil {
		return Conn{}, err
	}
	conn := Conn{Span: span, Errno: errno}
	conn.Socket, err = describe(fd)
	return conn, err
})

// ConnectUnixInterrupted connects to the agent's own listener, whose queue is full. That many signals interrupt the call.
// Then the listener accepts one connection. restart is whether the signal handler has SA_RESTART.
func (a *Agent) ConnectUnixInterrupted(listener int, path string, signals int, restart bool) Conn {
	a.t.Helper()
	return connectInterrupted.Call(a, interruptedArgs{Path: path, Listener: listener, Signals: signals, Restart: restart})
}

// FillUnix connects to the listener at the path until its queue is full.
func (a *Agent) FillUnix(path string) {
	a.t.Helper()
	fillUnix.Call(a, path)
}

var fillUnix = Define("unix.fill", func(path string) (Nothing, error) {
	for {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			return Nothing{}, fmt.Errorf("socket: %w", err)
		}
		err = unix.Connect(fd, &unix.SockaddrUnix{Name: path})
		if errors.Is(err, unix.EAGAIN) {
			return Nothing{}, unix.Close(fd)
		}
		if err != nil {
			return Nothing{}, fmt.Errorf("connect: %w", err)
		}
	}
})
