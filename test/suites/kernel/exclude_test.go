// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

// Excluded traffic is in no event and in no metric. All other traffic is reported.
func TestExclude(t *testing.T) {
	testnet.Require(t)
	for name, c := range map[string]struct {
		exclude string
		// seen says for each address whether connections to it are reported.
		seen map[netip.AddrPort]bool
	}{
		"nothing": {
			exclude: "{}",
			seen: map[netip.AddrPort]bool{
				traffic.Addr(testnet.Right.IPv4, 80): true, traffic.Addr(testnet.Right.Mapped(), 81): true, traffic.Addr(testnet.Right.IPv6, 82): true,
				traffic.Addr(testnet.Loopback4, 83): true, traffic.Addr(testnet.Loopback6, 84): true,
			},
		},
		"an IPv4 address": {
			exclude: "{cidrs: [198.18.0.2/32]}",
			seen: map[netip.AddrPort]bool{
				traffic.Addr(testnet.Right.IPv4, 80): false, traffic.Addr(testnet.Right.Mapped(), 81): false, traffic.Addr(testnet.Right.IPv6, 82): true,
				traffic.Addr(testnet.Loopback4, 83): true,
			},
		},
		"a local address": {
			exclude: "{cidrs: ['fd18::1/128']}",
			seen:    map[netip.AddrPort]bool{traffic.Addr(testnet.Right.IPv4, 80): true, traffic.Addr(testnet.Right.IPv6, 82): false},
		},
		"networks": {
			exclude: "{cidrs: [198.18.0.0/24, 'fd18::/16', 10.0.0.0/8]}",
			seen: map[netip.AddrPort]bool{
				traffic.Addr(testnet.Right.IPv4, 80): false, traffic.Addr(testnet.Right.IPv6, 82): false,
				traffic.Addr(testnet.Loopback4, 83): true, traffic.Addr(testnet.Loopback6, 84): true,
			},
		},
		"all of IPv6": {
			exclude: "{cidrs: ['::/0']}",
			seen: map[netip.AddrPort]bool{
				traffic.Addr(testnet.Right.IPv6, 80): false, traffic.Addr(testnet.Loopback6, 81): false,
				traffic.Addr(testnet.Right.IPv4, 82): true, traffic.Addr(testnet.Right.Mapped(), 83): true,
			},
		},
		"all of IPv4": {
			exclude: "{cidrs: [0.0.0.0/0]}",
			seen: map[netip.AddrPort]bool{
				traffic.Addr(testnet.Right.IPv4, 80): false, traffic.Addr(testnet.Right.Mapped(), 81): false, traffic.Addr(testnet.Right.IPv6, 82): true,
			},
		},
		"ports": {
			exclude: "{ports: [80, 65535]}",
			seen: map[netip.AddrPort]bool{
				traffic.Addr(testnet.Right.IPv4, 80): false, traffic.Addr(testnet.Right.IPv6, 80): false, traffic.Addr(testnet.Right.IPv4, 65535): false,
				traffic.Addr(testnet.Right.IPv4, 81): true, traffic.Addr(testnet.Right.IPv6, 65534): true,
			},
		},
		"loopback": {
			exclude: "{loopback: true}",
			seen: map[netip.AddrPort]bool{
				traffic.Addr(testnet.Loopback4, 83): false, traffic.Addr(netip.MustParseAddr("127.255.0.1"), 84): false,
				traffic.Addr(testnet.Loopback6, 85): false, traffic.Addr(netip.MustParseAddr("::ffff:127.0.0.1"), 86): false,
				traffic.Addr(testnet.Right.IPv4, 80): true, traffic.Addr(testnet.Right.IPv6, 82): true,
			},
		},
		"its executable": {
			exclude: "{executables: [kernel-test-client, another]}",
			seen:    map[netip.AddrPort]bool{traffic.Addr(testnet.Right.IPv4, 80): false, traffic.Addr(testnet.Right.IPv6, 82): false},
		},
		"another executable": {
			exclude: "{executables: [kernel-test, kernel-test-client-, client-main]}",
			seen:    map[netip.AddrPort]bool{traffic.Addr(testnet.Right.IPv4, 80): true, traffic.Addr(testnet.Right.IPv6, 82): true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := testreceiver.Start(t, "exclude: "+c.exclude+"\n"+onlyConnection)
			container := testhost.NewContainer(t)
			s := newClientServer(t, traffic.In(container))
			// Datagrams can be sent only to addresses that these two sockets reach.
			reachable := func(a netip.Addr) bool { return !a.Is4In6() && !a.IsLoopback() }
			udp := map[bool]traffic.Socket{
				true:  s.client.OpenUDP(traffic.Addr(netip.IPv4Unspecified(), 0)),
				false: s.client.OpenUDP(traffic.Addr(testnet.Left.IPv6, 0)),
			}
			seen := 0
			for address, visible := range c.seen {
				s.client.Connect(address)
				if reachable(address.Addr()) {
					s.client.SendTo(udp[address.Addr().Is4()].FD, address, 1)
				}
				if visible {
					seen++
				}
			}
			r.Settle(t)
			metrics := r.Scrape(t).In(container)
			assert.Equal(t, seen, metrics.Int("ebpf.connection.failed", testreceiver.Attributes{"network.transport": "tcp"}))
			for address, visible := range c.seen {
				want := 0
				if visible {
					want = 1
				}
				to := []testreceiver.Match{
					testreceiver.OfProcess(s.client.PID),
					testreceiver.With("server.address", address.Addr().Unmap().String()), testreceiver.With("server.port", int64(address.Port())),
				}
				assert.Len(t, r.Events.Matching(append(to, testreceiver.With("network.transport", "tcp"))...), want, "tcp %s", address)
				if reachable(address.Addr()) {
					assert.Len(t, r.Events.Matching(append(to, testreceiver.With("network.transport", "udp"))...), want, "udp %s", address)
				}
			}
		})
	}
}

// Otherwise the collector's own connections would cause telemetry about its telemetry.
func TestExcludeSelf(t *testing.T) {
	testnet.Require(t)
	for _, exclude := range []bool{true, false} {
		t.Run(fmt.Sprint(exclude), func(t *testing.T) {
			r := testreceiver.Start(t, fmt.Sprintf("exclude: {self: %t}\n%s", exclude, onlyConnection))
			ns := testnet.NewNamespace(t)
			other := traffic.Start(t, ns)
			listener := other.Listen(traffic.Addr(testnet.Loopback4, 0))
			require.NoError(t, ns.Run(func() error {
				for _, network := range []string{"tcp4", "udp4"} {
					c, err := net.Dial(network, listener.Local.String())
					if err != nil {
						return err
					}
					if err := c.Close(); err != nil {
						return err
					}
				}
				return nil
			}))
			accepted := other.Accept(listener.FD)
			other.ReceiveEOF(accepted.FD)
			other.Close(accepted.FD)

			r.Exactly(t, 2, testreceiver.OfProcess(other.PID)) // the other side is another process
			own := r.Events.Matching(testreceiver.OfProcess(os.Getpid()), testreceiver.InNamespace(ns))
			if exclude {
				assert.Empty(t, own)
			} else {
				assert.Len(t, own, 3, "connect, close and a UDP peer")
			}
		})
	}
}

// AllBut keeps a test's own traffic apart from other traffic of the host.
func TestAllBut(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, "exclude: {cidrs: "+testreceiver.AllBut(testnet.Prefix4)+"}\n"+onlyConnection)
	s := newClientServer(t)
	for _, to := range []netip.Addr{testnet.Right.IPv4, testnet.Right.IPv6, testnet.Loopback4, testnet.Loopback6} {
		s.client.Connect(traffic.Addr(to, closedPort))
	}
	e := r.Exactly(t, 1, testreceiver.OfProcess(s.client.PID))[0]
	assert.Equal(t, testnet.Right.IPv4.String(), e.Attributes["server.address"])
}

// Exclusions for connections apply to drops as well.
func TestPacketDropsExcluded(t *testing.T) {
	testnet.Require(t)
	for name, c := range map[string]struct {
		exclude  string
		in, out4 int // drops at the server's and at the client's filter
		out6     int
	}{
		"nothing":           {exclude: "{}", in: 1, out4: 1, out6: 1},
		"the destination":   {exclude: "{cidrs: [198.18.0.2/32]}", out6: 1},
		"the source":        {exclude: "{cidrs: ['fd18::1/128']}", in: 1, out4: 1},
		"the inner port":    {exclude: "{ports: [1001]}", out4: 1, out6: 1},
		"its executable":    {exclude: "{executables: [kernel-test-client]}", in: 1},
		"another's":         {exclude: "{executables: [kernel-test-server]}", in: 1, out4: 1, out6: 1},
		"loopback, not its": {exclude: "{loopback: true}", in: 1, out4: 1, out6: 1},
	} {
		t.Run(name, func(t *testing.T) {
			r := testreceiver.Start(t, "exclude: "+c.exclude+"\n"+onlyPacketDrop)
			s := newClientServer(t)
			s.right.AddFilter(t, testnet.Filter{Hook: testnet.Input, Protocol: unix.IPPROTO_UDP, Port: 1001})
			s.left.AddFilter(t, testnet.Filter{Hook: testnet.Output, Protocol: unix.IPPROTO_UDP, Port: 1002})
			ipv4, ipv6 := s.client.OpenUDP(traffic.Addr(testnet.Left.IPv4, 0)), s.client.OpenUDP(traffic.Addr(testnet.Left.IPv6, 0))
			s.client.SendTo(ipv4.FD, traffic.Addr(testnet.Right.IPv4, 1001), 1)
			s.client.SendTo(ipv4.FD, traffic.Addr(testnet.Right.IPv4, 1002), 1)
			s.client.SendTo(ipv6.FD, traffic.Addr(testnet.Right.IPv6, 1002), 1)
			r.Settle(t)
			assert.Len(t, r.Events.Matching(unicastDrop, testreceiver.InNamespace(s.right)), c.in, "incoming")
			assert.Len(t, r.Events.Matching(unicastDrop, testreceiver.InNamespace(s.left), testreceiver.With("network.type", "ipv4")), c.out4, "outgoing")
			assert.Len(t, r.Events.Matching(unicastDrop, testreceiver.InNamespace(s.left), testreceiver.With("network.type", "ipv6")), c.out6, "outgoing")
		})
	}
}
