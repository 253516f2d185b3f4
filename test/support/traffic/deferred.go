// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package traffic

import (
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

type deferredArgs struct {
	Address netip.AddrPort
	Pause   time.Duration
	Bytes   int
}

var connectDeferred = Define("tcp.connectDeferred", func(args deferredArgs) (Conn, error) {
	fd, err := socketFor(args.Address.Addr(), unix.SOCK_STREAM, unix.IPPROTO_TCP)
	if err != nil {
		return Conn{}, fmt.Errorf("socket: %w", err)
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_FASTOPEN_CONNECT, 1); err != nil {
		return Conn{}, fmt.Errorf("TCP_FASTOPEN_CONNECT: %w", err)
	}
	conn, err := connect(fd, args.Address)
	if err != nil || args.Bytes == 0 {
		return conn, err
	}
	time.Sleep(args.Pause)
	span, errno, err := timed(func() error {
		_, err := unix.Write(fd, make([]byte, args.Bytes))
		return err
	})
	conn.Span, conn.Errno = span, errno
	return conn, err
})

// ConnectDeferred connects with TCP_FASTOPEN_CONNECT, and sends that many bytes after a pause. The kernel sends the SYN only
// with the data, so the span is that of the write. With 0 bytes nothing is sent.
func (a *Agent) ConnectDeferred(address netip.AddrPort, pause time.Duration, bytes int) Conn {
	a.t.Helper()
	return connectDeferred.Call(a, deferredArgs{Address: address, Pause: pause, Bytes: bytes})
}
