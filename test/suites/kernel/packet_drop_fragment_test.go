// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

// A lost datagram is one drop, whether the whole datagram is dropped or its fragments time out because one is missing.
func TestPacketDropOfFragments(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyPacketDrop)
	for _, f := range families[:2] {
		t.Run(f.name, func(t *testing.T) {
			s := newClientServer(t)
			s.right.Sysctl(t, "net.ipv4.ipfrag_time", "1")
			s.right.Sysctl(t, "net.ipv6.ip6frag_time", "1")
			all := []testreceiver.Match{testreceiver.Named(dropEvent), testreceiver.InNamespace(s.left, s.right), func(e testreceiver.Event) bool {
				return e.Attributes["network.transport"] == "udp"
			}}
			// A filter sees an IPv4 datagram reassembled. Of an IPv6 datagram it sees the fragment with the ports, and the
			// others time out.
			const port, size = 1234, 20_000
			s.right.AddFilter(t, testnet.Filter{Hook: testnet.Input, Protocol: unix.IPPROTO_UDP, Port: port})
			socket := s.client.OpenUDP(traffic.Addr(f.clientAddress(), 0))
			s.client.SendTo(socket.FD, traffic.Addr(f.dial, port), size)
			time.Sleep(2500 * time.Millisecond)
			e := r.Exactly(t, 1, all...)[0]
			assert.Equal(t, int64(port), e.Attributes["destination.port"])
			if f.dial.Is6() {
				assert.True(t, testreceiver.Eventually(func() bool { // the fragments time out later on a busy machine
					return r.Scrape(t).Int("ebpf.packet.drop.io", dropSeries("netfilter_drop", f.networkType)) >= size
				}), "the bytes of all fragments")
			}

			sendFragments(t, s.left, f.clientAddress(), f.dial)
			time.Sleep(2500 * time.Millisecond)
			e = r.Exactly(t, 2, all...)[1]
			assert.Equal(t, []any{int64(5400), int64(7400)}, []any{e.Attributes["source.port"], e.Attributes["destination.port"]})
			if kernelSays().reasons {
				assert.Equal(t, "frag_reasm_timeout", e.Attributes[reasonKey])
			}
		})
	}
}

// sendFragments sends all but the last fragment of a UDP datagram from port 5400 to 7400.
func sendFragments(t *testing.T, ns *testnet.Namespace, from, to netip.Addr) {
	t.Helper()
	const moreFragments, half = 0x2000, 800
	first := slices.Concat([]byte{5400 >> 8, 5400 & 0xff, 7400 >> 8, 7400 & 0xff, 0x10, 0, 0, 0}, make([]byte, half-8))
	for i, payload := range [][]byte{first, make([]byte, half)} {
		var packet []byte
		family, address := unix.AF_INET, unix.Sockaddr(&unix.SockaddrInet4{Addr: as4(to)})
		if to.Is6() {
			family, address = unix.AF_INET6, &unix.SockaddrInet6{Addr: to.As16()}
			header := []byte{unix.IPPROTO_UDP, 0, byte(i * half >> 8), byte(i*half) | 1, 0, 0, 0x12, 0x34}
			packet = testnet.IPv6(from, to, 64, testnet.HeaderFragment, header, payload)
		} else {
			packet = testnet.IPv4(from, to, 64, unix.IPPROTO_UDP, moreFragments|uint16(i*half/8), nil, payload)
			packet[4], packet[5] = 0x12, 0x34
		}
		require.NoError(t, ns.Run(func() error {
			fd, err := unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
			if err != nil {
				return err
			}
			defer unix.Close(fd)
			return unix.Sendto(fd, packet, 0, address)
		}))
	}
}
