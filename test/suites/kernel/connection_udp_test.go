// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

// clientAddress is the client's end of the link as the family addresses it.
func (f family) clientAddress() netip.Addr {
	switch {
	case f.dial.Is4():
		return testnet.Left.IPv4
	case f.dial.Is4In6():
		return testnet.Left.Mapped()
	default:
		return testnet.Left.IPv6
	}
}

func TestConnectionUDPConnect(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyConnection)
	for _, f := range families[:3] {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			s := newClientServer(t)
			peer := s.server.OpenUDP(traffic.Addr(f.listen, 443))
			socket := s.client.OpenUDP(traffic.Addr(f.clientAddress(), 0))
			c := s.client.OnThread("dialer").ConnectUDP(socket.FD, traffic.Addr(f.dial, 443))
			require.Zero(t, c.Errno)
			// A datagram to a known peer makes no event.
			s.client.SendMany(socket.FD, netip.AddrPort{}, 10, 5)
			s.client.SendTo(socket.FD, traffic.Addr(f.dial, 443), 10)
			s.client.ConnectUDP(socket.FD, traffic.Addr(f.dial, 443))

			e := r.Exactly(t, 1, testreceiver.OfProcess(s.client.PID))[0]
			check(t, e, connectEvent, plog.SeverityNumberInfo,
				connection("udp", "client", socket.Local, traffic.Addr(f.dial, 443), socket.Cookie, s.left).
					with(owner(s.client.OnThread("dialer"), "current")))
			within(t, e, c.Start, c.End)
			assert.Equal(t, "udp", e.Attributes["network.transport"], "whatever is usual at port 443")
			require.True(t, testreceiver.Eventually(func() bool { return s.server.ReadDatagrams(peer.FD) > 0 }), "the datagrams arrive")
		})
	}
}

// A socket that sends without connect() has an event for each new peer.
func TestConnectionUDPSend(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyConnection)
	for _, f := range families[:3] {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			s := newClientServer(t)
			peers := []netip.AddrPort{traffic.Addr(f.dial, 1001), traffic.Addr(f.dial, 1002), traffic.Addr(f.dial, 1003)}
			for _, p := range peers {
				s.server.OpenUDP(traffic.Addr(f.listen, p.Port()))
			}
			sockets := []traffic.Socket{
				s.client.OpenUDP(traffic.Addr(f.clientAddress(), 0)), s.client.OpenUDP(traffic.Addr(f.clientAddress(), 0)),
			}
			sent := map[uint64]map[uint16]traffic.Sent{}
			for _, socket := range sockets {
				sent[socket.Cookie] = map[uint16]traffic.Sent{}
				for _, p := range peers {
					sent[socket.Cookie][p.Port()] = s.client.OnThread("sender").SendTo(socket.FD, p, 100)
				}
			}
			// To the same peers again, in another order and in bulk.
			for _, socket := range sockets {
				for _, p := range []netip.AddrPort{peers[2], peers[0], peers[1], peers[0]} {
					s.client.SendMany(socket.FD, p, 100, 3)
				}
			}

			events := r.Exactly(t, len(sockets)*len(peers), testreceiver.OfProcess(s.client.PID))
			for _, socket := range sockets {
				for _, p := range peers {
					found := r.Events.Matching(testreceiver.OfProcess(s.client.PID),
						testreceiver.With("ebpf.socket.cookie", int64(socket.Cookie)), testreceiver.With("server.port", int64(p.Port())))
					require.Len(t, found, 1, "%v", events)
					check(t, found[0], connectEvent, plog.SeverityNumberInfo,
						connection("udp", "client", socket.Local, p, socket.Cookie, s.left).
							with(owner(s.client.OnThread("sender"), "current")))
					within(t, found[0], sent[socket.Cookie][p.Port()].Start, sent[socket.Cookie][p.Port()].End)
				}
			}
		})
	}
}

// A socket that is not bound to an address reports no local address.
func TestConnectionUDPWithoutLocalAddress(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyConnection)
	s := newClientServer(t)
	for _, any := range []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()} {
		to := traffic.Addr(testnet.Right.IPv4, 1000)
		if any.Is6() {
			to = traffic.Addr(testnet.Right.IPv6, 1000)
		}
		socket := s.client.OpenUDP(traffic.Addr(any, 0))
		s.client.SendTo(socket.FD, to, 1)
		e := r.Exactly(t, 1, testreceiver.OfProcess(s.client.PID), testreceiver.With("ebpf.socket.cookie", int64(socket.Cookie)))[0]
		assert.NotContains(t, e.Attributes, "client.address")
		assert.Equal(t, int64(socket.Local.Port()), e.Attributes["client.port"])
		assert.Equal(t, to.Addr().String(), e.Attributes["server.address"])
	}
}

// A socket older than the receiver is seen at its next new peer.
func TestConnectionUDPSocketOlderThanTheReceiver(t *testing.T) {
	testnet.Require(t)
	s := newClientServer(t)
	socket := s.client.OpenUDP(traffic.Addr(testnet.Left.IPv4, 0))
	s.client.SendTo(socket.FD, traffic.Addr(testnet.Right.IPv4, 1000), 1)
	r := testreceiver.Start(t, onlyConnection)
	s.client.SendTo(socket.FD, traffic.Addr(testnet.Right.IPv4, 1001), 1)
	e := r.Exactly(t, 1, testreceiver.OfProcess(s.client.PID))[0]
	check(t, e, connectEvent, plog.SeverityNumberInfo,
		connection("udp", "client", socket.Local, traffic.Addr(testnet.Right.IPv4, 1001), socket.Cookie, s.left).
			with(owner(s.client, "current")))
}

func TestConnectionProtocols(t *testing.T) {
	testnet.Require(t)
	for protocol, other := range map[string]string{"tcp": "udp", "udp": "tcp"} {
		t.Run(protocol, func(t *testing.T) {
			r := testreceiver.Start(t, "programs: {connection: {protocols: ["+protocol+"]}, packet_drop: {}}")
			s := newClientServer(t)
			s.client.Connect(traffic.Addr(testnet.Right.IPv4, closedPort))
			s.client.SendTo(s.client.OpenUDP(traffic.Addr(testnet.Left.IPv4, 0)).FD, traffic.Addr(testnet.Right.IPv4, 1000), 1)
			connects := []testreceiver.Match{testreceiver.Named(connectEvent), testreceiver.OfProcess(s.client.PID)}
			r.Exactly(t, 1, append(connects, testreceiver.With("network.transport", protocol))...)
			assert.Empty(t, r.Events.Matching(append(connects, testreceiver.With("network.transport", other))...))
		})
	}
}
