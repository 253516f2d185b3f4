// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package traffic

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Socket is one socket of an agent.
type Socket struct {
	// FD is its descriptor in the agent.
	FD int
	// Local is its address as returned by getsockname(2): IPv4-mapped on a dual-stack socket.
	Local netip.AddrPort
	// Cookie is the kernel's number of the socket, SO_COOKIE.
	Cookie uint64
	// Protocol is the kernel's protocol of the socket, SO_PROTOCOL: unix.IPPROTO_TCP and so on.
	Protocol int
}

// Span is the wall time of a system call, from before the call to after its return.
type Span struct {
	Start, End time.Time
}

// Duration is the duration of the call.
func (s Span) Duration() time.Duration { return s.End.Sub(s.Start) }

// timed measures f.
func timed(f func() error) (Span, unix.Errno, error) {
	s := Span{Start: time.Now()}
	err := f()
	s.End = time.Now()
	if errno, ok := err.(unix.Errno); ok { //nolint:errorlint // system calls return bare error numbers
		return s, errno, nil
	}
	return s, 0, err
}

// socketFor opens a socket of the family that fits the address. An IPv4-mapped address gets a dual-stack IPv6 socket.
func socketFor(address netip.Addr, kind, protocol int) (int, error) {
	if address.Is4() {
		return unix.Socket(unix.AF_INET, kind|unix.SOCK_CLOEXEC, protocol)
	}
	fd, err := unix.Socket(unix.AF_INET6, kind|unix.SOCK_CLOEXEC, protocol)
	if err != nil || kind == unix.SOCK_RAW {
		return fd, err
	}
	return fd, unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0)
}

// describe reads the kernel's facts about an open socket.
func describe(fd int) (Socket, error) {
	s := Socket{FD: fd}
	var err error
	if s.Cookie, err = unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE); err != nil {
		return s, fmt.Errorf("SO_COOKIE: %w", err)
	}
	if s.Protocol, err = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL); err != nil {
		return s, fmt.Errorf("SO_PROTOCOL: %w", err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		return s, fmt.Errorf("getsockname: %w", err)
	}
	s.Local = fromSockaddr(name)
	return s, nil
}

func toSockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	scope, _ := strconv.ParseUint(a.Addr().Zone(), 10, 32) // the index of an interface, as fromSockaddr writes it
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16(), ZoneId: uint32(scope)}
}

func fromSockaddr(a unix.Sockaddr) netip.AddrPort {
	switch a := a.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		address := netip.AddrFrom16(a.Addr)
		if a.ZoneId != 0 {
			address = address.WithZone(strconv.FormatUint(uint64(a.ZoneId), 10))
		}
		return netip.AddrPortFrom(address, uint16(a.Port))
	}
	return netip.AddrPort{}
}

// ownCgroup is the process's version 2 cgroup as in /proc/PID/cgroup.
func ownCgroup() (string, error) {
	groups, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(groups)) {
		if strings.HasPrefix(line, "0::") {
			return strings.TrimSpace(line), nil
		}
	}
	return "", nil
}

type closeArgs struct {
	FD int
	// Reset makes the close of a TCP connection send a reset.
	Reset bool
}

var closeSocket = Define("close", func(args closeArgs) (Span, error) {
	if args.Reset {
		linger := unix.Linger{Onoff: 1, Linger: 0}
		if err := unix.SetsockoptLinger(args.FD, unix.SOL_SOCKET, unix.SO_LINGER, &linger); err != nil {
			return Span{}, err
		}
	}
	span, errno, err := timed(func() error { return unix.Close(args.FD) })
	if errno != 0 {
		err = errno
	}
	return span, err
})

// Close closes a socket.
func (a *Agent) Close(fd int) Span {
	a.t.Helper()
	return closeSocket.Call(a, closeArgs{FD: fd})
}

// Reset closes a TCP connection by a reset instead of a FIN.
func (a *Agent) Reset(fd int) Span {
	a.t.Helper()
	return closeSocket.Call(a, closeArgs{FD: fd, Reset: true})
}

type optionArgs struct{ FD, Level, Name, Value int }

var setOption = Define("setsockopt", func(args optionArgs) (Nothing, error) {
	return Nothing{}, unix.SetsockoptInt(args.FD, args.Level, args.Name, args.Value)
})

// SetOption sets a socket option.
func (a *Agent) SetOption(fd, level, name, value int) {
	a.t.Helper()
	setOption.Call(a, optionArgs{FD: fd, Level: level, Name: name, Value: value})
}

type takeArgs struct{ PID, FD int }

var take = Define("take", func(args takeArgs) (int, error) {
	process, err := unix.PidfdOpen(args.PID, 0)
	if err != nil {
		return -1, err
	}
	defer func() { _ = unix.Close(process) }()
	return unix.PidfdGetfd(process, args.FD, 0)
})

// Take duplicates another agent's open socket, as if it were inherited by a fork. It returns the descriptor in this agent.
func (a *Agent) Take(from *Agent, fd int) int {
	a.t.Helper()
	return take.Call(a, takeArgs{PID: from.PID, FD: fd})
}

// order is the byte order of network data.
var order = binary.BigEndian
