// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

// clientServer is two namespaces joined by a link, with a process in each. Most tests use it. The names of the processes
// are longer than a thread's name can be. Each process has its own user.
type clientServer struct {
	left, right    *testnet.Namespace
	client, server *traffic.Agent
}

const (
	clientUser = 1001
	serverUser = 1002
)

func newClientServer(t testing.TB, options ...traffic.Option) clientServer {
	t.Helper()
	s := clientServer{left: testnet.NewNamespace(t), right: testnet.NewNamespace(t)}
	testnet.Join(t, s.left, s.right)
	// Allow the servers' user to use every port.
	s.right.Sysctl(t, "net.ipv4.ip_unprivileged_port_start", "0")
	start := func(ns *testnet.Namespace, own ...traffic.Option) *traffic.Agent {
		return traffic.Start(t, ns, append(own, options...)...)
	}
	s.client = start(s.left, traffic.Named("kernel-test-client", "client-main"), traffic.AsUser(clientUser))
	s.server = start(s.right, traffic.Named("kernel-test-server", "server-main"), traffic.AsUser(serverUser))
	return s
}

// family is a way to address the server.
type family struct {
	name string
	// listen is the server's address, dial the address to which the client connects.
	listen, dial netip.Addr
	// networkType is the expected network.type of both sides.
	networkType string
}

// families are the ways to address the server. IPv4 on the wire is reported as ipv4, whatever the family of the socket.
var families = []family{
	{"IPv4", testnet.Right.IPv4, testnet.Right.IPv4, "ipv4"},
	{"IPv6", testnet.Right.IPv6, testnet.Right.IPv6, "ipv6"},
	{"IPv4-mapped client", testnet.Right.IPv4, testnet.Right.Mapped(), "ipv4"},
	{"IPv4-mapped server", netip.IPv6Unspecified(), testnet.Right.IPv4, "ipv4"},
}

// pair is an established connection.
type pair struct {
	listener       traffic.Socket
	client, server traffic.Conn
}

// establish connects the client to a new listener of the server.
func (s clientServer) establish(t testing.TB, f family) pair {
	t.Helper()
	var p pair
	p.listener = s.server.OnThread("listener").Listen(traffic.Addr(f.listen, 0))
	p.client = s.client.OnThread("dialer").Connect(traffic.Addr(f.dial, p.listener.Local.Port()))
	if p.client.Errno != 0 {
		t.Fatalf("connect: %v", p.client.Errno)
	}
	p.server = s.server.OnThread("acceptor").Accept(p.listener.FD)
	return p
}

// exchange sends that many bytes from one end to the other, in pieces that fit into the buffers between them.
func exchange(t testing.TB, from *traffic.Agent, fromFD int, to *traffic.Agent, toFD, bytes int) {
	t.Helper()
	for left := bytes; left > 0; {
		n := min(left, 32<<10)
		from.Send(fromFD, n)
		if got := to.Receive(toFD, n); got.Bytes != n {
			t.Fatalf("%d of %d bytes arrived: %+v", got.Bytes, n, got)
		}
		left -= n
	}
}

// acknowledgeAll waits until all that the agent has sent is acknowledged.
func acknowledgeAll(t testing.TB, a *traffic.Agent, fd int) {
	t.Helper()
	require.True(t, testreceiver.Eventually(func() bool {
		i := a.Info(fd)
		return i.BytesWaiting == 0 && i.SegmentsWaiting == 0
	}), "some bytes are not acknowledged")
}

// closeInTurn closes one end, waits until the other end has received the FIN, and closes that too.
func closeInTurn(first *traffic.Agent, firstFD int, second *traffic.Agent, secondFD int) (traffic.Span, traffic.Span) {
	a := first.Close(firstFD)
	second.ReceiveEOF(secondFD)
	return a, second.Close(secondFD)
}
