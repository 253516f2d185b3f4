// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package traffic

import (
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// OpenUDP opens a UDP socket bound to the address; port 0 takes a free port.
func (a *Agent) OpenUDP(address netip.AddrPort) Socket {
	a.t.Helper()
	return openUDP.Call(a, address)
}

var openUDP = Define("udp.open", func(address netip.AddrPort) (Socket, error) {
	fd, err := socketFor(address.Addr(), unix.SOCK_DGRAM, unix.IPPROTO_UDP)
	if err != nil {
		return Socket{}, fmt.Errorf("socket: %w", err)
	}
	if err := unix.Bind(fd, toSockaddr(address)); err != nil {
		return Socket{}, fmt.Errorf("bind to %s: %w", address, err)
	}
	return describe(fd)
})

var openUnboundUDP = Define("udp.open.unbound", func(like netip.Addr) (Socket, error) {
	fd, err := socketFor(like, unix.SOCK_DGRAM, unix.IPPROTO_UDP)
	if err != nil {
		return Socket{}, fmt.Errorf("socket: %w", err)
	}
	return describe(fd)
})

// OpenUnboundUDP opens a UDP socket without a port, of the family of an address.
func (a *Agent) OpenUnboundUDP(like netip.Addr) Socket {
	a.t.Helper()
	return openUnboundUDP.Call(a, like)
}

type udpConnectArgs struct {
	FD      int
	Address netip.AddrPort
}

var connectUDP = Define("udp.connect", func(args udpConnectArgs) (Conn, error) { return connect(args.FD, args.Address) })

// ConnectUDP sets the peer of a UDP socket.
func (a *Agent) ConnectUDP(fd int, address netip.AddrPort) Conn {
	a.t.Helper()
	return connectUDP.Call(a, udpConnectArgs{FD: fd, Address: address})
}

type datagramArgs struct {
	FD int
	// To is the peer; the zero value means the connected peer.
	To           netip.AddrPort
	Bytes, Count int
}

// Sent is the result of sending datagrams.
type Sent struct {
	Span
	// Count is how many datagrams the kernel accepted.
	Count int
	// Errors is how many calls failed; Errno is the last error. The answer of a closed port makes the next call fail.
	Errors int
	Errno  unix.Errno
}

var sendDatagrams = Define("udp.send", func(args datagramArgs) (Sent, error) {
	var to unix.Sockaddr
	if args.To.IsValid() {
		to = toSockaddr(args.To)
	}
	payload := make([]byte, args.Bytes)
	var s Sent
	span, _, err := timed(func() error {
		for range args.Count {
			err := unix.Sendto(args.FD, payload, 0, to)
			var errno unix.Errno
			switch {
			case err == nil:
				s.Count++
			case errors.As(err, &errno):
				s.Errors++
				s.Errno = errno
			default:
				return err
			}
		}
		return nil
	})
	s.Span = span
	return s, err
})

// SendTo sends one datagram to the peer by sendto(2).
func (a *Agent) SendTo(fd int, to netip.AddrPort, bytes int) Sent {
	a.t.Helper()
	return sendDatagrams.Call(a, datagramArgs{FD: fd, To: to, Bytes: bytes, Count: 1})
}

// SendMany sends datagrams to the peer as fast as possible. An invalid address means the connected peer.
func (a *Agent) SendMany(fd int, to netip.AddrPort, bytes, count int) Sent {
	a.t.Helper()
	return sendDatagrams.Call(a, datagramArgs{FD: fd, To: to, Bytes: bytes, Count: count})
}

type portsArgs struct {
	FD    int
	To    netip.Addr
	First uint16
	Count int
}

var sendToPorts = Define("udp.ports", func(args portsArgs) (Nothing, error) {
	for i := range args.Count {
		to := toSockaddr(netip.AddrPortFrom(args.To, args.First+uint16(i)))
		if err := unix.Sendto(args.FD, []byte{0}, 0, to); err != nil && !errors.Is(err, unix.ECONNREFUSED) {
			return Nothing{}, err
		}
	}
	return Nothing{}, nil
})

// SendToPorts sends a datagram to each of count ports, and ignores that they are closed.
func (a *Agent) SendToPorts(fd int, to netip.Addr, first uint16, count int) {
	a.t.Helper()
	sendToPorts.Call(a, portsArgs{FD: fd, To: to, First: first, Count: count})
}

var readDatagrams = Define("udp.read", func(fd int) (int, error) {
	count, buffer := 0, make([]byte, 64<<10)
	for {
		_, _, err := unix.Recvfrom(fd, buffer, unix.MSG_DONTWAIT)
		if errors.Is(err, unix.EAGAIN) {
			return count, nil
		}
		if err != nil {
			return count, err
		}
		count++
	}
})

// ReadDatagrams reads all queued datagrams of the socket and returns their number.
func (a *Agent) ReadDatagrams(fd int) int {
	a.t.Helper()
	return readDatagrams.Call(a, fd)
}

type echoArgs struct {
	To    netip.Addr
	Bytes int
}

// Ping sends an ICMP echo request with that much payload from a raw socket, without waiting for the answer.
func (a *Agent) Ping(to netip.Addr, bytes int) Socket {
	a.t.Helper()
	return echo.Call(a, echoArgs{To: to, Bytes: bytes})
}

var echo = Define("icmp.echo", func(args echoArgs) (Socket, error) {
	const echoRequest4, echoRequest6, headerSize = 8, 128, 8
	protocol, kind := unix.IPPROTO_ICMP, byte(echoRequest4)
	if args.To.Is6() {
		protocol, kind = unix.IPPROTO_ICMPV6, echoRequest6
	}
	fd, err := socketFor(args.To, unix.SOCK_RAW, protocol)
	if err != nil {
		return Socket{}, fmt.Errorf("socket: %w", err)
	}
	packet := make([]byte, headerSize+args.Bytes)
	packet[0], packet[5] = kind, 1 // the identifier: some kernels reject the checksum of an answer that is all zeros
	if args.To.Is4() {
		order.PutUint16(packet[2:], checksum(packet)) // the kernel fills it in for ICMPv6 only
	}
	if err := unix.Sendto(fd, packet, 0, toSockaddr(netip.AddrPortFrom(args.To, 0))); err != nil && !errors.Is(err, unix.EPERM) {
		return Socket{}, err // EPERM: a packet filter dropped it
	}
	return describe(fd)
})

// checksum is the Internet checksum of the data.
func checksum(data []byte) uint16 {
	var sum uint32
	for ; len(data) > 1; data = data[2:] {
		sum += uint32(order.Uint16(data))
	}
	if len(data) == 1 {
		sum += uint32(data[0]) << 8
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}
