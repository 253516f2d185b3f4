// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

// answering returns the answers of a name server to a query: any number of datagrams, or of parts of a stream with length prefixes.
type answering func(query []byte) [][]byte

// serveNames answers on a port of the namespace, over UDP and TCP, until the end of the test.
func serveNames(t testing.TB, ns *testnet.Namespace, address netip.AddrPort, answer answering) {
	t.Helper()
	var (
		datagrams net.PacketConn
		listener  net.Listener
	)
	require.NoError(t, ns.Run(func() (err error) {
		if datagrams, err = net.ListenPacket("udp", address.String()); err != nil {
			return err
		}
		listener, err = net.Listen("tcp", address.String())
		return err
	}), "opening the sockets of a name server")
	t.Cleanup(func() { _ = errors.Join(datagrams.Close(), listener.Close()) })
	go func() {
		buffer := make([]byte, 64<<10)
		for {
			n, from, err := datagrams.ReadFrom(buffer)
			if err != nil {
				return
			}
			for _, part := range answer(buffer[:n]) {
				_, _ = datagrams.WriteTo(part, from)
			}
		}
	}()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go serveStream(conn, answer)
		}
	}()
}

func serveStream(conn net.Conn, answer answering) {
	defer conn.Close()
	for {
		var prefix [2]byte
		if _, err := io.ReadFull(conn, prefix[:]); err != nil {
			return
		}
		query := make([]byte, binary.BigEndian.Uint16(prefix[:]))
		if _, err := io.ReadFull(conn, query); err != nil {
			return
		}
		for _, part := range answer(query) {
			if _, err := conn.Write(part); err != nil {
				return
			}
		}
	}
}

// prefixed returns a message with the length prefix of TCP.
func prefixed(message []byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(message))), message...)
}

// packed returns the bytes of a message.
func packed(t testing.TB, m *dns.Msg) []byte {
	t.Helper()
	raw, err := m.Pack()
	require.NoError(t, err)
	return raw
}

// asking returns a query.
func asking(t testing.TB, id uint16, name string, kind uint16) []byte {
	t.Helper()
	m := new(dns.Msg).SetQuestion(dns.Fqdn(name), kind)
	m.Id = id
	return packed(t, m)
}

// replying returns an answer to a query, with these records.
func replying(t testing.TB, query []byte, code int, records ...string) *dns.Msg {
	t.Helper()
	var q dns.Msg
	require.NoError(t, q.Unpack(query))
	m := new(dns.Msg).SetRcode(&q, code)
	m.Compress = true
	for _, text := range records {
		record, err := dns.NewRR(text)
		require.NoError(t, err, text)
		m.Answer = append(m.Answer, record)
	}
	return m
}

// lookups are the two ends of look-ups: a process, and a name server in another namespace.
type lookups struct {
	clientServer
	server netip.AddrPort
}

// newLookups starts a name server at port 53 of the address in the right namespace.
func newLookups(t testing.TB, f family, answer answering, options ...traffic.Option) lookups {
	t.Helper()
	l := lookups{clientServer: newClientServer(t, options...), server: traffic.Addr(f.dial, 53)}
	serveNames(t, l.right, traffic.Addr(f.listen, 53), answer)
	return l
}

// socket opens a UDP socket of the client that is connected to the name server.
func (l lookups) socket(t testing.TB) traffic.Socket {
	t.Helper()
	unspecified := netip.IPv4Unspecified()
	if l.server.Addr().Is6() {
		unspecified = netip.IPv6Unspecified()
	}
	s := l.client.OpenUDP(traffic.Addr(unspecified, 0))
	c := l.client.ConnectUDP(s.FD, l.server)
	require.Zero(t, c.Errno)
	return c.Socket
}

// once sends a query from a socket and waits for the answer.
func (l lookups) once(socket traffic.Socket, query []byte) (traffic.Span, traffic.Arrived) {
	sent := l.client.SendMessages(socket.FD, netip.AddrPort{}, query)
	return sent, l.client.ReceiveMessages(socket.FD, 1)[0]
}
