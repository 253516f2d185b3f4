// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package traffic

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// Conn is one end of a connection or of a failed attempt.
type Conn struct {
	Socket
	// Span is the connect or accept call.
	Span
	// Remote is the peer's address.
	Remote netip.AddrPort
	// Errno is what connect(2) returned; 0 is success.
	Errno unix.Errno
}

// Addr combines an address and a port.
func Addr(address netip.Addr, port uint16) netip.AddrPort { return netip.AddrPortFrom(address, port) }

type listenArgs struct {
	Address  netip.AddrPort
	Protocol int
	Backlog  int
}

var listenTCP = Define("tcp.listen", func(args listenArgs) (Socket, error) {
	fd, err := socketFor(args.Address.Addr(), unix.SOCK_STREAM, args.Protocol)
	if err != nil {
		return Socket{}, fmt.Errorf("socket: %w", err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return Socket{}, err
	}
	if err := unix.Bind(fd, toSockaddr(args.Address)); err != nil {
		return Socket{}, fmt.Errorf("bind to %s: %w", args.Address, err)
	}
	if err := unix.Listen(fd, args.Backlog); err != nil {
		return Socket{}, fmt.Errorf("listen: %w", err)
	}
	return describe(fd)
})

// Listen opens a TCP listener. Port 0 means a free port. "::" also accepts IPv4.
func (a *Agent) Listen(address netip.AddrPort) Socket {
	a.t.Helper()
	return a.ListenWithBacklog(address, 1024)
}

// ListenWithBacklog is Listen with a limit of the accept queue. The kernel allows one connection more than the limit.
func (a *Agent) ListenWithBacklog(address netip.AddrPort, backlog int) Socket {
	a.t.Helper()
	return listenTCP.Call(a, listenArgs{Address: address, Protocol: unix.IPPROTO_TCP, Backlog: backlog})
}

// ListenMPTCP opens a Multipath TCP listener.
func (a *Agent) ListenMPTCP(address netip.AddrPort) Socket {
	a.t.Helper()
	return listenTCP.Call(a, listenArgs{Address: address, Protocol: unix.IPPROTO_MPTCP, Backlog: 1024})
}

var accept = Define("tcp.accept", func(fd int) (Conn, error) {
	var conn Conn
	var remote unix.Sockaddr
	span, errno, err := timed(func() (err error) {
		conn.FD, remote, err = unix.Accept4(fd, unix.SOCK_CLOEXEC)
		return err
	})
	if err != nil || errno != 0 {
		return conn, errors.Join(err, errnoError(errno))
	}
	conn.Span, conn.Remote = span, fromSockaddr(remote)
	conn.Socket, err = describe(conn.FD)
	return conn, err
})

// Accept accepts a connection of a listener. It waits for one.
func (a *Agent) Accept(fd int) Conn {
	a.t.Helper()
	return accept.Call(a, fd)
}

type connectArgs struct {
	Address, Bind netip.AddrPort
	Protocol      int
	Nonblocking   bool
}

var connectTCP = Define("tcp.connect", func(args connectArgs) (Conn, error) {
	kind := unix.SOCK_STREAM
	if args.Nonblocking {
		kind |= unix.SOCK_NONBLOCK
	}
	fd, err := socketFor(args.Address.Addr(), kind, args.Protocol)
	if err != nil {
		return Conn{}, fmt.Errorf("socket: %w", err)
	}
	if args.Bind.IsValid() {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
			return Conn{}, fmt.Errorf("SO_REUSEADDR: %w", err)
		}
		if err := unix.Bind(fd, toSockaddr(args.Bind)); err != nil {
			return Conn{}, fmt.Errorf("bind to %s: %w", args.Bind, err)
		}
	}
	return connect(fd, args.Address)
})

// connect connects the socket and describes the outcome.
func connect(fd int, address netip.AddrPort) (Conn, error) {
	span, errno, err := timed(func() error { return unix.Connect(fd, toSockaddr(address)) })
	if err != nil {
		return Conn{}, fmt.Errorf("connect to %s: %w", address, err)
	}
	conn := Conn{Span: span, Remote: address, Errno: errno}
	conn.Socket, err = describe(fd)
	return conn, err
}

// Connect connects by TCP and waits for the outcome.
func (a *Agent) Connect(address netip.AddrPort) Conn {
	a.t.Helper()
	return connectTCP.Call(a, connectArgs{Address: address, Protocol: unix.IPPROTO_TCP})
}

// ConnectFrom connects by TCP from a chosen local address and port.
func (a *Agent) ConnectFrom(local, address netip.AddrPort) Conn {
	a.t.Helper()
	return connectTCP.Call(a, connectArgs{Address: address, Bind: local, Protocol: unix.IPPROTO_TCP})
}

// ConnectMPTCP connects by Multipath TCP.
func (a *Agent) ConnectMPTCP(address netip.AddrPort) Conn {
	a.t.Helper()
	return connectTCP.Call(a, connectArgs{Address: address, Protocol: unix.IPPROTO_MPTCP})
}

type signArgs struct {
	FD   int
	Peer netip.Addr
}

var sign = Define("tcp.sign", func(args signArgs) (Nothing, error) {
	const length, keyAt, key = 216, 136, "key" // of struct tcp_md5sig, which begins with a struct sockaddr_storage
	option := make([]byte, length)
	if args.Peer.Is4() {
		binary.NativeEndian.PutUint16(option, unix.AF_INET)
		copy(option[4:], args.Peer.AsSlice())
	} else {
		binary.NativeEndian.PutUint16(option, unix.AF_INET6)
		copy(option[8:], args.Peer.AsSlice())
	}
	binary.NativeEndian.PutUint16(option[130:], uint16(len(key)))
	copy(option[keyAt:], key)
	return Nothing{}, unix.SetsockoptString(args.FD, unix.IPPROTO_TCP, unix.TCP_MD5SIG, string(option))
})

// Sign has a socket sign its segments to a peer (RFC 2385), and accept no others from it.
func (a *Agent) Sign(fd int, peer netip.Addr) {
	a.t.Helper()
	sign.Call(a, signArgs{fd, peer})
}

// StartConnect begins a TCP connection without waiting. Errno is EINPROGRESS.
func (a *Agent) StartConnect(address netip.AddrPort) Conn {
	a.t.Helper()
	return connectTCP.Call(a, connectArgs{Address: address, Protocol: unix.IPPROTO_TCP, Nonblocking: true})
}

// StartConnectFrom is StartConnect from a chosen local address and port.
func (a *Agent) StartConnectFrom(local, address netip.AddrPort) Conn {
	a.t.Helper()
	return connectTCP.Call(a, connectArgs{Address: address, Bind: local, Protocol: unix.IPPROTO_TCP, Nonblocking: true})
}

type transferArgs struct{ FD, Bytes int }

var send = Define("tcp.send", func(args transferArgs) (int, error) {
	chunk, sent := make([]byte, 64<<10), 0
	for sent < args.Bytes {
		n, err := unix.Write(args.FD, chunk[:min(len(chunk), args.Bytes-sent)])
		if err != nil {
			return sent, err
		}
		sent += n
	}
	return sent, nil
})

// Send sends that many bytes.
func (a *Agent) Send(fd, bytes int) {
	a.t.Helper()
	send.Call(a, transferArgs{FD: fd, Bytes: bytes})
}

type segmentsArgs struct{ FD, Size, Count int }

var sendSegments = Define("tcp.segments", func(args segmentsArgs) (Nothing, error) {
	if err := unix.SetsockoptInt(args.FD, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return Nothing{}, err
	}
	for range args.Count {
		if _, err := unix.Write(args.FD, make([]byte, args.Size)); err != nil {
			return Nothing{}, err
		}
	}
	return Nothing{}, nil
})

// SendSegments sends that many segments of this size, one after the other.
func (a *Agent) SendSegments(fd, size, count int) {
	a.t.Helper()
	sendSegments.Call(a, segmentsArgs{FD: fd, Size: size, Count: count})
}

// Received is the result of reading from a connection.
type Received struct {
	Bytes int
	// EOF says that the peer has sent its FIN.
	EOF bool
	// Errno is the error that ended the reading.
	Errno unix.Errno
}

var receive = Define("tcp.receive", func(args transferArgs) (Received, error) {
	var r Received
	chunk := make([]byte, 64<<10)
	for r.Bytes < args.Bytes {
		n, err := unix.Read(args.FD, chunk[:min(len(chunk), args.Bytes-r.Bytes)])
		if err != nil {
			r.Errno, _ = err.(unix.Errno) //nolint:errorlint // system calls return bare error numbers
			return r, nil
		}
		if n == 0 {
			r.EOF = true
			break
		}
		r.Bytes += n
	}
	return r, nil
})

// Receive reads until it has that many bytes or the connection ends.
func (a *Agent) Receive(fd, bytes int) Received {
	a.t.Helper()
	return receive.Call(a, transferArgs{FD: fd, Bytes: bytes})
}

// ReceiveEOF waits for the peer's FIN, and expects no data before it.
func (a *Agent) ReceiveEOF(fd int) {
	a.t.Helper()
	r := a.Receive(fd, 1)
	if !r.EOF {
		a.t.Fatalf("agent %s[%d]: expected the end of the connection, got %d bytes and %v", a.Executable, a.PID, r.Bytes, r.Errno)
	}
}

var shutdownWrite = Define("tcp.shutdown", func(fd int) (Nothing, error) {
	return Nothing{}, unix.Shutdown(fd, unix.SHUT_WR)
})

// CloseWrite sends this side's FIN. The other direction stays open.
func (a *Agent) CloseWrite(fd int) {
	a.t.Helper()
	shutdownWrite.Call(a, fd)
}

// Info has the kernel's facts about an open TCP connection.
type Info struct {
	RTT, MinRTT                time.Duration
	Retransmits                int
	SegmentsSent, SegmentsSeen int
	BytesAcked, BytesReceived  uint64
	BytesSent                  uint64
	BytesWaiting               int // not sent yet
	SegmentsWaiting            int // sent, and not acknowledged yet
	Duplicates                 int // segments that the peer has received twice
	Probes                     int // of a closed window, without an answer that opens it
	// Busy is how long there was data to send or unacknowledged; the others are parts of it.
	Busy, WindowLimited, BufferLimited time.Duration
}

var info = Define("tcp.info", func(fd int) (Info, error) {
	i, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return Info{}, err
	}
	return Info{
		RTT: time.Duration(i.Rtt) * time.Microsecond, MinRTT: time.Duration(i.Min_rtt) * time.Microsecond,
		Retransmits: int(i.Total_retrans), SegmentsSent: int(i.Segs_out), SegmentsSeen: int(i.Segs_in),
		Duplicates: int(i.Dsack_dups), Probes: int(i.Probes),
		BytesAcked: i.Bytes_acked, BytesReceived: i.Bytes_received, BytesSent: i.Bytes_sent,
		BytesWaiting: int(i.Notsent_bytes), SegmentsWaiting: int(i.Unacked),
		Busy:          time.Duration(i.Busy_time) * time.Microsecond,
		WindowLimited: time.Duration(i.Rwnd_limited) * time.Microsecond, BufferLimited: time.Duration(i.Sndbuf_limited) * time.Microsecond,
	}, nil
})

// Info reads TCP_INFO.
func (a *Agent) Info(fd int) Info {
	a.t.Helper()
	return info.Call(a, fd)
}

func errnoError(errno unix.Errno) error {
	if errno == 0 {
		return nil
	}
	return errno
}

// ConnectUntilKilled connects by TCP and never returns: the agent is killed during the call.
func (a *Agent) ConnectUntilKilled(address netip.AddrPort) {
	go func() { _, _ = connectTCP.Try(a, connectArgs{Address: address, Protocol: unix.IPPROTO_TCP}) }()
}
