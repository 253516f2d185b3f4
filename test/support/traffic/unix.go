// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package traffic

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

type unixArgs struct {
	// Kind is unix.SOCK_STREAM, SOCK_DGRAM or SOCK_SEQPACKET.
	Kind int
	// Path is the address; a leading @ makes it an abstract one.
	Path string
}

var listenUnix = Define("unix.listen", func(args unixArgs) (Socket, error) {
	fd, err := unix.Socket(unix.AF_UNIX, args.Kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return Socket{}, fmt.Errorf("socket: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: args.Path}); err != nil {
		return Socket{}, fmt.Errorf("bind to %s: %w", args.Path, err)
	}
	if args.Kind != unix.SOCK_DGRAM {
		if err := unix.Listen(fd, 16); err != nil {
			return Socket{}, fmt.Errorf("listen: %w", err)
		}
	}
	return describe(fd)
})

// ListenUnix binds a unix socket to the path. Unless it is a datagram socket, it also listens.
func (a *Agent) ListenUnix(kind int, path string) Socket {
	a.t.Helper()
	return listenUnix.Call(a, unixArgs{Kind: kind, Path: path})
}

var connectUnix = Define("unix.connect", func(args unixArgs) (Conn, error) {
	fd, err := unix.Socket(unix.AF_UNIX, args.Kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return Conn{}, fmt.Errorf("socket: %w", err)
	}
	span, errno, err := timed(func() error { return unix.Connect(fd, &unix.SockaddrUnix{Name: args.Path}) })
	if err != nil {
		return Conn{}, err
	}
	conn := Conn{Span: span, Errno: errno}
	conn.Socket, err = describe(fd)
	return conn, err
})

// ConnectUnix connects a new unix socket to the path.
func (a *Agent) ConnectUnix(kind int, path string) Conn {
	a.t.Helper()
	return connectUnix.Call(a, unixArgs{Kind: kind, Path: path})
}

var connectUnixByRing = Define("unix.connect.ring", func(args unixArgs) (Conn, error) {
	fd, err := unix.Socket(unix.AF_UNIX, args.Kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return Conn{}, fmt.Errorf("socket: %w", err)
	}
	address := &unix.RawSockaddrUnix{Family: unix.AF_UNIX}
	for i, c := range []byte(args.Path) {
		address.Path[i] = int8(c)
	}
	size := int(unsafe.Offsetof(address.Path)) + len(args.Path)
	if args.Path[0] == '@' {
		address.Path[0] = 0
	} else {
		size++ // the zero at the end
	}
	var pin runtime.Pinner
	defer pin.Unpin()
	pin.Pin(address)
	entry := uringEntry{opcode: uringConnect, fd: int32(fd), address: uint64(uintptr(unsafe.Pointer(address))), address2: uint64(size)}
	span, errno, err := timed(func() error {
		result, err := submit(entry, func() bool { return false })
		if err == nil && result < 0 {
			err = unix.Errno(-result)
		}
		return err
	})
	if err != nil {
		return Conn{}, err
	}
	conn := Conn{Span: span, Errno: errno}
	conn.Socket, err = describe(fd)
	return conn, err
})

// ConnectUnixByRing is ConnectUnix by an io_uring.
func (a *Agent) ConnectUnixByRing(kind int, path string) Conn {
	a.t.Helper()
	return connectUnixByRing.Call(a, unixArgs{Kind: kind, Path: path})
}

var discardUnix = Define("unix.discard", func(count int) (Nothing, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return Nothing{}, err
	}
	for range count {
		if err := unix.Send(pair[0], []byte("unread"), unix.MSG_DONTWAIT); err != nil {
			return Nothing{}, err
		}
	}
	if err := unix.Close(pair[1]); err != nil {
		return Nothing{}, err
	}
	return Nothing{}, unix.Close(pair[0])
})

// DiscardUnix sends datagrams over a pair of unix sockets, and closes the sockets without reading them.
func (a *Agent) DiscardUnix(count int) {
	a.t.Helper()
	discardUnix.Call(a, count)
}

var discardNetlink = Define("netlink.discard", func(count int) (Nothing, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return Nothing{}, err
	}
	defer func() { _ = unix.Close(fd) }()
	// RTM_GETLINK for interface 1: the kernel queues one answer per request.
	const size = unix.SizeofNlMsghdr + unix.SizeofIfInfomsg
	message := make([]byte, size)
	message[0], message[4], message[6] = size, unix.RTM_GETLINK, unix.NLM_F_REQUEST
	message[unix.SizeofNlMsghdr+4] = 1
	for range count {
		if err := unix.Sendto(fd, message, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
			return Nothing{}, err
		}
	}
	return Nothing{}, nil
})

// DiscardNetlink requests that many answers on a netlink socket, and closes it without reading them.
func (a *Agent) DiscardNetlink(count int) {
	a.t.Helper()
	discardNetlink.Call(a, count)
}
