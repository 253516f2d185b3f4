// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

const flagsKey = "ebpf.tcp.flags"

// withFlags selects events of TCP segments with exactly these flags.
func withFlags(names ...any) testreceiver.Match {
	return func(e testreceiver.Event) bool { return assert.ObjectsAreEqual(names, e.Attributes[flagsKey]) }
}

// filtered returns the attributes of a packet that a filter has dropped, except for the location.
func filtered(device string, ns *testnet.Namespace) attributes {
	return dropped("netfilter_drop", device, ns)
}

// checkFiltered checks the drop of a packet by a filter.
func checkFiltered(t testing.TB, e testreceiver.Event, want attributes, measured ...string) {
	t.Helper()
	check(t, e, dropEvent, plog.SeverityNumberWarn, want, append(measured, locationKey)...)
	// Newer kernels drop in the function that evaluates the rule, older ones in the function that runs all hooks.
	assert.Contains(t, []any{"nft_do_chain", "nf_hook_slow"}, e.Attributes[locationKey])
}

func TestPacketDropByFilterOnTheWayIn(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyPacketDrop)
	for _, f := range families[:2] {
		t.Run("UDP "+f.name, func(t *testing.T) {
			t.Parallel()
			s := newClientServer(t)
			to := traffic.Addr(f.dial, closedPort)
			rule := s.right.AddFilter(t, testnet.Filter{Hook: testnet.Input, Protocol: unix.IPPROTO_UDP, Port: closedPort})
			socket := s.client.OpenUDP(traffic.Addr(f.clientAddress(), 0))
			sent := s.client.SendTo(socket.FD, to, 100)
			e := r.Exactly(t, 1, unicastDrop, testreceiver.InNamespace(s.left, s.right))[0]
			require.Equal(t, 1, rule.Packets(t))
			checkFiltered(t, e,
				packet("udp", socket.Local, to, rule.Bytes(t)).with(filtered(testnet.Right.Device, s.right)))
			within(t, e, sent.Start, time.Now())
		})
		t.Run("TCP "+f.name, func(t *testing.T) {
			t.Parallel()
			s := newClientServer(t)
			from, to := traffic.Addr(f.clientAddress(), 40000), traffic.Addr(f.dial, closedPort)
			rule := s.right.AddFilter(t, testnet.Filter{Hook: testnet.Input, Protocol: unix.IPPROTO_TCP, Port: closedPort})
			c := s.client.StartConnectFrom(from, to)
			e := r.Wait(t, 1, unicastDrop, testreceiver.InNamespace(s.right))[0]
			checkFiltered(t, e,
				packet("tcp", from, to, rule.Bytes(t)/rule.Packets(t)).with(filtered(testnet.Right.Device, s.right)).with(attributes{flagsKey: []any{"syn"}, causeKey: "local_drop"}))
			s.client.Close(c.FD)
			r.Exactly(t, rule.Packets(t), unicastDrop, testreceiver.InNamespace(s.right))
		})
		t.Run("ICMP "+f.name, func(t *testing.T) {
			t.Parallel()
			s := newClientServer(t)
			root := traffic.Start(t, s.left) // raw sockets need privileges
			protocol, name, request := unix.IPPROTO_ICMP, "icmp", uint8(8)
			if f.dial.Is6() {
				protocol, name, request = unix.IPPROTO_ICMPV6, "icmpv6", 128
			}
			s.right.AddFilter(t, testnet.Filter{Hook: testnet.Input, Protocol: protocol, ICMPType: request})
			root.Ping(f.dial, 56)
			e := r.Exactly(t, 1, unicastDrop, testreceiver.InNamespace(s.left, s.right), withReason("netfilter_drop"))[0]
			checkFiltered(t, e, filtered(testnet.Right.Device, s.right).with(attributes{
				"network.transport": name, "network.type": f.networkType,
				"source.address": f.clientAddress().String(), "destination.address": f.dial.String(),
				"ebpf.packet.size": int64(ipHeader(f.dial) + icmpHeader + 56),
			}))
		})
	}
}

// A packet that a filter drops on output is attributed to the sender.
func TestPacketDropByFilterOnTheWayOut(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyPacketDrop)
	for _, f := range families[:3] {
		t.Run("UDP "+f.name, func(t *testing.T) {
			t.Parallel()
			container := testhost.NewContainer(t)
			s := newClientServer(t, traffic.In(container))
			s.left.AddFilter(t, testnet.Filter{Hook: testnet.Output, Protocol: unix.IPPROTO_UDP, Port: closedPort})
			socket := s.client.OpenUDP(traffic.Addr(f.clientAddress(), 0))
			to := traffic.Addr(f.dial, closedPort)
			sent := s.client.SendTo(socket.FD, to, 100)
			require.Equal(t, unix.EPERM, sent.Errno)
			e := r.Exactly(t, 1, unicastDrop, testreceiver.InNamespace(s.left, s.right))[0]
			// The packet has not reached an interface.
			checkFiltered(t, e,
				packet("udp", socket.Local, to, ipHeader(f.dial)+udpHeader+100).
					with(filtered("", s.left)).with(owner(s.client, "socket")).with(attributes{cookieKey: int64(socket.Cookie)}))
			within(t, e, sent.Start, sent.End)
			assert.Equal(t, container.ContainerID, e.Resource["container.id"])
		})
		t.Run("TCP "+f.name, func(t *testing.T) {
			t.Parallel()
			s := newClientServer(t)
			rule := s.left.AddFilter(t, testnet.Filter{Hook: testnet.Output, Protocol: unix.IPPROTO_TCP, Port: closedPort})
			from, to := traffic.Addr(f.clientAddress(), 40000), traffic.Addr(f.dial, closedPort)
			c := s.client.OnThread("dialer").StartConnectFrom(from, to)
			e := r.Wait(t, 1, unicastDrop, testreceiver.InNamespace(s.left))[0]
			checkFiltered(t, e,
				packet("tcp", from, to, rule.Bytes(t)/rule.Packets(t)).with(filtered("", s.left)).
					with(owner(s.client.OnThread("dialer"), "socket")).
					with(attributes{cookieKey: int64(c.Cookie), flagsKey: []any{"syn"}, causeKey: "local_drop"}))
			s.client.Close(c.FD)
			r.Exactly(t, rule.Packets(t), unicastDrop, testreceiver.InNamespace(s.left))
		})
	}
}

// Segments of an established connection are clones if the sender keeps them for retransmission. They still have their own
// headers.
func TestPacketDropOfEstablishedSegments(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyPacketDrop)
	for _, hook := range []testnet.Hook{testnet.Output, testnet.Input} {
		t.Run(map[testnet.Hook]string{testnet.Output: "on the way out", testnet.Input: "on the way in"}[hook], func(t *testing.T) {
			t.Parallel()
			s := newClientServer(t)
			p := s.establish(t, families[0])
			ns := map[testnet.Hook]*testnet.Namespace{testnet.Output: s.left, testnet.Input: s.right}[hook]
			rule := ns.AddFilter(t, testnet.Filter{Hook: hook, Protocol: unix.IPPROTO_TCP, Port: p.listener.Local.Port()})
			// Buffer space is freed only when the other side acknowledges a segment.
			s.client.SetOption(p.client.FD, unix.SOL_SOCKET, unix.SO_SNDBUF, 192<<10)
			s.client.Send(p.client.FD, 64<<10)
			require.True(t, testreceiver.Eventually(func() bool { return rule.Packets(t) >= 3 }))
			rule.Remove(t)
			require.Equal(t, 64<<10, s.server.Receive(p.server.FD, 64<<10).Bytes, "the data must arrive in the end")

			r.Settle(t)
			events := r.Events.Matching(unicastDrop, testreceiver.InNamespace(s.left, s.right), withReason("netfilter_drop"))
			require.GreaterOrEqual(t, len(events), 3)
			want := packet("tcp", p.client.Local, p.client.Remote, 0).with(filtered("", s.left)).
				with(owner(s.client.OnThread("dialer"), "socket")).with(attributes{cookieKey: int64(p.client.Cookie)})
			if hook == testnet.Input {
				// The receiving socket, if the kernel has found it before the filter.
				want = packet("tcp", p.client.Local, p.client.Remote, 0).with(filtered(testnet.Right.Device, s.right))
			}
			delete(want, "ebpf.packet.size")
			for _, e := range events {
				measured := []string{"ebpf.packet.size", flagsKey}
				if _, found := e.Attributes["process.pid"]; found && hook == testnet.Input {
					for key, value := range owner(s.server.OnThread("listener"), "socket").with(attributes{cookieKey: int64(p.server.Cookie)}) {
						assert.Equal(t, value, e.Attributes[key], key)
						measured = append(measured, key)
					}
				}
				checkFiltered(t, e, want, measured...)
				assert.Contains(t, e.Attributes[flagsKey], "ack")
				assert.Greater(t, e.Attributes["ebpf.packet.size"], int64(ipv4Header))
			}
		})
	}
}

// The flags are those in the segment's header.
func TestPacketDropHasFlags(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyPacketDrop)
	s := newClientServer(t)
	p := s.establish(t, families[1])
	const fin = 1
	rule := s.right.AddFilter(t, testnet.Filter{Hook: testnet.Input, Protocol: unix.IPPROTO_TCP, TCPFlags: fin})
	s.client.Close(p.client.FD)
	e := r.Wait(t, 1, unicastDrop, testreceiver.InNamespace(s.right), withReason("netfilter_drop"))[0]
	assert.Equal(t, []any{"fin", "ack"}, e.Attributes[flagsKey])
	rule.Remove(t)
	s.server.ReceiveEOF(p.server.FD)

	// A segment to a closed port is dropped where it would have been received.
	before := time.Now()
	s.client.Connect(traffic.Addr(testnet.Right.IPv6, closedPort))
	e = r.Exactly(t, 1, unicastDrop, testreceiver.With("destination.port", int64(closedPort)), testreceiver.InNamespace(s.right))[0]
	assert.Equal(t, []any{"syn"}, e.Attributes[flagsKey])
	assert.Equal(t, dropped("no_socket", "", s.right)[reasonKey], e.Attributes[reasonKey])
	within(t, e, before, time.Now())
}

// The size includes the IP header, as in the packet filter's count. For IPv4 it is the size of the reassembled packet, for
// IPv6 that of the fragment with the ports.
func TestPacketDropSizes(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyPacketDrop)
	for _, f := range families[:2] {
		s := newClientServer(t)
		for _, size := range []int{0, 1, 1400, 3000, 20_000} {
			port := uint16(1000 + size)
			rule := s.right.AddFilter(t, testnet.Filter{Hook: testnet.Input, Protocol: unix.IPPROTO_UDP, Port: port})
			socket := s.client.OpenUDP(traffic.Addr(f.clientAddress(), 0))
			s.client.SendTo(socket.FD, traffic.Addr(f.dial, port), size)
			e := r.Exactly(t, 1, unicastDrop, testreceiver.InNamespace(s.right), testreceiver.With("destination.port", int64(port)))[0]
			assert.Equal(t, int64(rule.Bytes(t)), e.Attributes["ebpf.packet.size"], "%s of %d bytes", f.name, size)
			if f.dial.Is4() || size < 1500 {
				assert.Equal(t, int64(ipHeader(f.dial)+udpHeader+size), e.Attributes["ebpf.packet.size"], "%s of %d bytes", f.name, size)
			}
			assert.Equal(t, int64(socket.Local.Port()), e.Attributes["source.port"])
		}
	}
}
