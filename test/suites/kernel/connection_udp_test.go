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
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

// clientAddress is the client's address in this family.
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

// onlyConnected is on the event of a UDP socket that was connected and has sent nothing by that.
var onlyConnected = attributes{"ebpf.connection.sent": false}

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
					with(owner(s.client.OnThread("dialer"), "current")).with(onlyConnected))
			within(t, e, c.Start, c.End)
			assert.Equal(t, "udp", e.Attributes["network.transport"], "the port says nothing about the transport")
			require.True(t, testreceiver.Eventually(func() bool { return s.server.ReadDatagrams(peer.FD) > 0 }), "the datagrams did not arrive")
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
			// Send to the same peers again, in another order and in bulk.
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

// A failed send is counted once for each peer. The peer is new when a send succeeds.
func TestConnectionUDPFailed(t *testing.T) {
	testnet.Require(t)
	if !kernelSays().taskWork {
		testenv.Lacking(t, "task work for BPF programs (6.18), which reads the result of a system call")
	}
	r := testreceiver.Start(t, onlyConnection)
	for name, to := range map[string]netip.Addr{"IPv4": netip.MustParseAddr("203.0.113.9"), "IPv6": netip.MustParseAddr("2001:db8::9")} {
		t.Run(name, func(t *testing.T) {
			container := testhost.NewContainer(t)
			s := newClientServer(t, traffic.In(container))
			from := traffic.Addr(netip.IPv4Unspecified(), 0)
			if to.Is6() {
				from = traffic.Addr(netip.IPv6Unspecified(), 0)
			}
			connecting, sending := s.client.OpenUDP(from), s.client.OpenUDP(from)
			c := s.client.ConnectUDP(connecting.FD, traffic.Addr(to, 53))
			require.Equal(t, unix.ENETUNREACH, c.Errno)
			sent := s.client.SendMany(sending.FD, traffic.Addr(to, 5353), 10, 3)
			require.Equal(t, 3, sent.Errors)
			for _, a := range []struct {
				socket traffic.Socket
				port   uint16
				span   traffic.Span
			}{{connecting, 53, c.Span}, {sending, 5353, sent.Span}} {
				e := r.Exactly(t, 1, testreceiver.OfProcess(s.client.PID), testreceiver.With("server.port", int64(a.port)))[0]
				want := connection("udp", "client", a.socket.Local, traffic.Addr(to, a.port), a.socket.Cookie, s.left).
					with(owner(s.client, "current")).with(attributes{"error.type": "net_unreachable", causeKey: "no_route"})
				delete(want, "client.address")
				if a.socket == connecting {
					want = want.with(onlyConnected)
				}
				check(t, e, connectEvent, plog.SeverityNumberWarn, want)
				within(t, e, a.span.Start, a.span.End)
			}

			s.left.AddAddress(t, "lo", netip.PrefixFrom(to, to.BitLen()))
			require.Zero(t, s.client.SendMany(sending.FD, traffic.Addr(to, 5353), 10, 3).Errors)
			require.Zero(t, s.client.ConnectUDP(connecting.FD, traffic.Addr(to, 53)).Errno)
			r.Exactly(t, 1, testreceiver.OfProcess(s.client.PID), testreceiver.With("server.port", int64(5353)), testreceiver.With("error.type", nil))
			r.Exactly(t, 1, testreceiver.OfProcess(s.client.PID), testreceiver.With("server.port", int64(53)), testreceiver.With("error.type", nil))
			m := r.Scrape(t).In(container)
			assert.Equal(t, 2, m.Int(failedMetric, testreceiver.Attributes{"network.transport": "udp", "error.type": "net_unreachable"}))
			assert.Equal(t, 2, m.Int(openedMetric, testreceiver.Attributes{"network.transport": "udp"}))
		})
	}
}

// The unspecified address means this host.
func TestConnectionUDPToUnspecifiedAddress(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyConnection)
	for from, want := range map[netip.Addr]netip.Addr{
		netip.IPv4Unspecified(): testnet.Loopback4, netip.IPv6Unspecified(): netip.IPv6Loopback(),
	} {
		s := newClientServer(t)
		socket := s.client.OpenUDP(traffic.Addr(from, 0))
		require.Zero(t, s.client.ConnectUDP(socket.FD, traffic.Addr(from, 1000)).Errno)
		e := r.Exactly(t, 1, testreceiver.OfProcess(s.client.PID))[0]
		assert.Equal(t, want.String(), e.Attributes["server.address"])
	}
}

// Each peer of a socket is counted once, however many there are and in which order they come.
func TestConnectionUDPManyPeers(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, "programs: {connection: {protocols: [udp], events: false}}")
	container := testhost.NewContainer(t)
	s := newClientServer(t, traffic.In(container))
	// More than the map of the BPF side holds, if entries of closed sockets were not removed.
	sockets, count := 8, 40000
	if !kernelSays().numbers {
		sockets, count = 2, 10000
	}
	for range sockets {
		socket := s.client.OpenUDP(traffic.Addr(netip.IPv4Unspecified(), 0))
		for range 2 {
			s.client.SendToPorts(socket.FD, testnet.Loopback4, 1000, count)
		}
		s.client.Close(socket.FD)
		r.Scrape(t)
	}
	series := testreceiver.Attributes{"network.transport": "udp", "network.type": "ipv4"}
	assert.Equal(t, sockets*count, r.Scrape(t).In(container).Int(openedMetric, series))
	assert.Zero(t, r.Scrape(t).Int("ebpf.event.lost", nil))
}

// A socket older than the receiver is reported at its next new peer.
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
