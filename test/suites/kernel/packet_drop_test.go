// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"net/netip"
	"os"
	"strings"
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

const (
	onlyPacketDrop = "programs: {packet_drop: {}}"

	reasonKey    = "ebpf.drop.reason"
	subsystemKey = "ebpf.drop.subsystem"
	locationKey  = "ebpf.drop.location"
	cookieKey    = "ebpf.socket.cookie"
)

func init() {
	counts("packet_drop", forContainer{
		act: func(t *testing.T, p place) {
			p.ns.AddFilter(t, testnet.Filter{Hook: testnet.Output, Protocol: unix.IPPROTO_UDP, Port: closedPort})
			p.agent.SendTo(p.agent.OpenUDP(traffic.Addr(testnet.Loopback4, 0)).FD, traffic.Addr(testnet.Loopback4, closedPort), 10)
		},
		metrics: []string{"ebpf.packet.drops", "ebpf.packet.drop.io"},
	})
}

// Sizes of headers.
const (
	ipv4Header = 20
	ipv6Header = 40
	udpHeader  = 8
	icmpHeader = 8
)

func ipHeader(a netip.Addr) int {
	if a.Unmap().Is4() {
		return ipv4Header
	}
	return ipv6Header
}

// packet returns the attributes of a dropped packet with ports.
func packet(transport string, source, destination netip.AddrPort, size int) attributes {
	return attributes{
		"network.transport":   transport,
		"network.type":        networkType(source.Addr()),
		"source.address":      source.Addr().Unmap().String(),
		"source.port":         int64(source.Port()),
		"destination.address": destination.Addr().Unmap().String(),
		"destination.port":    int64(destination.Port()),
		"ebpf.packet.size":    int64(size),
	}
}

// dropped returns the attributes of a drop for that reason, at that interface and in that namespace.
func dropped(reason, device string, ns *testnet.Namespace) attributes {
	a := attributes{"ebpf.network.namespace": int64(ns.Inode)}
	if kernelSays().reasons {
		a[reasonKey] = reason
	}
	if kernelSays().subsystems {
		a[subsystemKey] = "core"
	}
	if device != "" {
		a["network.interface.name"] = device
	}
	return a
}

// dropSeries returns the attributes of the series that counts such drops of UDP.
func dropSeries(reason, networkType string) testreceiver.Attributes {
	a := testreceiver.Attributes{"network.transport": "udp", "network.type": networkType}
	if kernelSays().reasons {
		a[reasonKey] = reason
	}
	if kernelSays().subsystems {
		a[subsystemKey] = "core"
	}
	return a
}

// withReason selects drops for that reason, or all drops on a kernel without reasons.
func withReason(reason string) testreceiver.Match {
	return func(e testreceiver.Event) bool { return !kernelSays().reasons || e.Attributes[reasonKey] == reason }
}

// unicastDrop selects drops of packets that were sent to one host. On a new link, the kernel also sends multicast packets
// that no process receives.
func unicastDrop(e testreceiver.Event) bool {
	to, _ := e.Attributes["destination.address"].(string)
	return e.Name == dropEvent && !strings.HasPrefix(to, "ff")
}

// symbols returns the names of this kernel's functions.
func symbols(t testing.TB) map[string]bool {
	t.Helper()
	text, err := os.ReadFile("/proc/kallsyms")
	require.NoError(t, err)
	found := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) >= 3 && strings.EqualFold(fields[1], "t") {
			found[fields[2]] = true
		}
	}
	return found
}

func TestPacketDropAtClosedUDPPort(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyPacketDrop)
	functions := symbols(t)
	for _, f := range families[:3] {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			s := newClientServer(t)
			socket := s.client.OpenUDP(traffic.Addr(f.clientAddress(), 0))
			to := traffic.Addr(f.dial, closedPort)
			sent := s.client.SendTo(socket.FD, to, 100)

			e := r.Exactly(t, 1, unicastDrop, testreceiver.InNamespace(s.left, s.right))[0]
			// There is no receiving socket, and the sender's socket is not on the receiving host, so there is no owner.
			check(t, e, dropEvent, plog.SeverityNumberWarn,
				packet("udp", socket.Local, to, ipHeader(f.dial)+udpHeader+100).
					with(dropped("no_socket", testnet.Right.Device, s.right)), locationKey)
			within(t, e, sent.Start, time.Now())
			assert.True(t, functions[e.Attributes[locationKey].(string)], "%s is a function of this kernel", e.Attributes[locationKey])
			assert.Contains(t, e.Attributes[locationKey], "udp")
		})
	}
}

// A datagram for a full socket is that socket's loss, whichever process ran when it arrived.
func TestPacketDropAtFullSocket(t *testing.T) {
	testnet.Require(t)
	for _, older := range []bool{false, true} {
		for _, f := range families {
			t.Run(f.name+map[bool]string{true: " older than the receiver"}[older], func(t *testing.T) {
				var r *testreceiver.Receiver
				if !older {
					r = testreceiver.Start(t, onlyPacketDrop)
				}
				container := testhost.NewContainer(t)
				s := newClientServer(t, traffic.In(container))
				socket := s.server.OpenUDP(traffic.Addr(f.listen, 0))
				s.server.SetOption(socket.FD, unix.SOL_SOCKET, unix.SO_RCVBUF, 1)
				if older {
					r = testreceiver.Start(t, onlyPacketDrop)
				}
				const sent, size = 50, 1000
				sender := s.client.OpenUDP(traffic.Addr(f.clientAddress(), 0))
				to := traffic.Addr(f.dial, socket.Local.Port())
				span := s.client.SendMany(sender.FD, to, size, sent)
				require.Equal(t, sent, span.Count)

				r.Wait(t, 1, unicastDrop, testreceiver.InNamespace(s.right))
				r.Settle(t)
				lost := sent - s.server.ReadDatagrams(socket.FD)
				require.Greater(t, lost, sent/2, "the buffer should hold next to nothing")
				events := r.Exactly(t, lost, unicastDrop, testreceiver.InNamespace(s.left, s.right))
				want := packet("udp", sender.Local, to, ipHeader(f.dial)+udpHeader+size).
					with(dropped("socket_rcvbuff", testnet.Right.Device, s.right))
				m := r.Scrape(t)
				if kernelSays().receiver {
					want = want.with(owner(s.server, "receiving_socket")).with(attributes{cookieKey: int64(socket.Cookie)})
					m = m.In(container)
				}
				for _, e := range events {
					check(t, e, dropEvent, plog.SeverityNumberWarn, want, locationKey)
					within(t, e, span.Start, time.Now())
					if kernelSays().receiver {
						assert.Equal(t, container.ContainerID, e.Resource["container.id"])
					}
				}

				series := dropSeries("socket_rcvbuff", f.networkType)
				assert.Equal(t, lost, m.Int("ebpf.packet.drops", series))
				assert.Equal(t, lost*(ipHeader(f.dial)+udpHeader+size), m.Int("ebpf.packet.drop.io", series))
				if !kernelSays().receiver {
					return
				}
				assert.Equal(t, lost, m.Int("ebpf.packet.drops", nil), "other drops in this container: %v", m.Series("ebpf.packet.drops"))
			})
		}
	}
}
