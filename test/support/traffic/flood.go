// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package traffic

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"

	"golang.org/x/sys/unix"
)

// servers are the child's background servers, by the descriptor of the listener.
var servers sync.Map

// server has the count of a background server.
type server struct {
	done chan struct{}
	// served is the number of accepted and closed connections.
	served int
	err    error
}

// serveInBackground runs serve, which returns the number of connections. The operation tcp.served waits for it.
func serveInBackground(fd int, serve func() (int, error)) {
	s := &server{done: make(chan struct{})}
	servers.Store(fd, s)
	go func() {
		defer close(s.done)
		s.served, s.err = serve()
	}()
}

type serveArgs struct {
	FD, Count int
}

var serveTCP = Define("tcp.serve", func(args serveArgs) (Nothing, error) {
	serveInBackground(args.FD, func() (served int, err error) {
		for ; served < args.Count; served++ {
			if err := serveOne(args.FD); err != nil {
				return served, err
			}
		}
		return served, nil
	})
	return Nothing{}, nil
})

// serveOne accepts a connection, reads it to its end and closes it.
func serveOne(fd int) error {
	conn, _, err := unix.Accept4(fd, unix.SOCK_CLOEXEC)
	if err != nil {
		return fmt.Errorf("accept: %w", err)
	}
	defer func() { _ = unix.Close(conn) }()
	for buffer := make([]byte, 1024); ; {
		n, err := unix.Read(conn, buffer)
		if n == 0 || errors.Is(err, unix.ECONNRESET) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
	}
}

// Serve accepts that many connections in the background, reads each to its end and closes it.
func (a *Agent) Serve(fd, count int) {
	a.t.Helper()
	serveTCP.Call(a, serveArgs{FD: fd, Count: count})
}

var served = Define("tcp.served", func(fd int) (int, error) {
	s, ok := servers.Load(fd)
	if !ok {
		return 0, fmt.Errorf("descriptor %d is not served", fd)
	}
	<-s.(*server).done
	return s.(*server).served, s.(*server).err
})

// Served waits until all connections of Serve have been closed, and returns their number.
func (a *Agent) Served(fd int) int {
	a.t.Helper()
	return served.Call(a, fd)
}

type floodArgs struct {
	Address      netip.AddrPort
	Count, Bytes int
}

var floodTCP = Define("tcp.flood", func(args floodArgs) (Span, error) {
	payload := make([]byte, args.Bytes)
	span, errno, err := timed(func() error {
		for range args.Count {
			fd, err := socketFor(args.Address.Addr(), unix.SOCK_STREAM, unix.IPPROTO_TCP)
			if err != nil {
				return err
			}
			if err := unix.Connect(fd, toSockaddr(args.Address)); err != nil {
				return err
			}
			if args.Bytes > 0 {
				if _, err := unix.Write(fd, payload); err != nil {
					return err
				}
			}
			if err := unix.Close(fd); err != nil {
				return err
			}
		}
		return nil
	})
	return span, errors.Join(err, errnoError(errno))
})

// Flood makes that many connections, one after the other as fast as possible. It sends so many bytes on each, and closes it
// from this side first.
func (a *Agent) Flood(address netip.AddrPort, count, bytes int) Span {
	a.t.Helper()
	return floodTCP.Call(a, floodArgs{Address: address, Count: count, Bytes: bytes})
}
