// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"maps"
	"net"
	"net/netip"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
)

// loopbackPacket is the configuration for the loopback interface.
const loopbackPacket = "programs: {packet: {interfaces: [lo], sample_every: 1}}"

// Packets of all kinds on the loopback interface, also with VLAN tags.
func TestPacketsOnLoopback(t *testing.T) {
	testnet.Require(t)
	if !testnet.Alone(t) {
		return
	}
	r := testreceiver.Start(t, loopbackPacket)
	assert.Equal(t, "generic", attachedAs(t, r, "lo"))
	countedAndSampled(t, r, "lo", packetTruths(), testnet.Loop(t))
}

// Packets that sockets send over the loopback interface have an Ethernet header without addresses.
func TestPacketsOfSocketsOnLoopback(t *testing.T) {
	testnet.Require(t)
	if !testnet.Alone(t) {
		return
	}
	const mtu = 1500
	lo, err := netlink.LinkByName("lo")
	require.NoError(t, err)
	require.NoError(t, netlink.LinkSetMTU(lo, mtu))
	r := testreceiver.Start(t, loopbackPacket)
	attachedAs(t, r, "lo")

	udp4, udp6 := packetsOf("udp", "ipv4"), packetsOf("udp", "ipv6")
	const ipv4, ipv6, udp, icmp = 20, 40, 8, 8
	packets, bytes := map[string]int{}, map[string]int{}
	count := func(series testreceiver.Attributes, n, size int) {
		packets[key(series)] += n
		bytes[key(series)] += n * size
	}
	from, to := datagrams(t, testnet.Loopback4, 7, 100)
	count(udp4, 7, ipv4+udp+100)
	datagrams(t, testnet.Loopback6, 5, 50)
	count(udp6, 5, ipv6+udp+50)
	datagrams(t, testnet.Loopback4, 1, 4000)
	fragments := traits(udp4, "ebpf.packet.fragment")
	count(fragments, 2, mtu)
	count(fragments, 1, ipv4+(udp+4000)-2*(mtu-ipv4))
	refused(t, testnet.Loopback4, 10)
	count(udp4, 1, ipv4+udp+10)
	count(packetsOf("icmp", "ipv4"), 1, ipv4+icmp+ipv4+udp+10)
	const sent = 100_000
	transfer(t, testnet.Loopback4, sent)
	// Segments with all TCP options, including timestamps.
	tcp4, control := packetsOf("tcp", "ipv4"), "ebpf.tcp.control_flags"
	const opening, other = ipv4 + 40, ipv4 + 32
	count(tcp4.With(control, "syn"), 2, opening)
	count(tcp4.With(control, "fin"), 2, other)

	// The number of segments depends on TCP, but not the sum of their lengths.
	rest := key(tcp4)
	m := r.ScrapeUntil(t, func(m testreceiver.Scrape) bool {
		return seriesOn(m, packetMetric, "lo")[key(tcp4.With(control, "fin"))] == 2
	})
	gotPackets, gotBytes := seriesOn(m, packetMetric, "lo"), seriesOn(m, packetBytes, "lo")
	assert.Equal(t, sent, gotBytes[rest]-other*gotPackets[rest])
	delete(gotPackets, rest)
	delete(gotBytes, rest)
	assert.Equal(t, packets, gotPackets)
	assert.Equal(t, bytes, gotBytes)

	samples := r.Wait(t, 7, testreceiver.Named(sampleEvent), testreceiver.With("source.port", int64(from.Port())))
	require.Len(t, samples, 7)
	for _, e := range samples {
		check(t, e, sampleEvent, plog.SeverityNumberInfo, ports(endpoints(from.Addr(), to.Addr(), 64), int(from.Port()), int(to.Port())).with(attributes{
			"network.transport": "udp", "network.type": "ipv4", interfaceKey: "lo", "ebpf.packet.size": int64(ipv4 + udp + 100),
		}))
	}
	assert.Empty(t, lost(m, "packet"))
}

// datagrams sends some datagrams of this size from one socket to another.
func datagrams(t *testing.T, address netip.Addr, count, size int) (from, to netip.AddrPort) {
	t.Helper()
	server, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(address, 0)))
	require.NoError(t, err)
	defer server.Close()
	client, err := net.DialUDP("udp", nil, server.LocalAddr().(*net.UDPAddr))
	require.NoError(t, err)
	defer client.Close()
	for range count {
		_, err := client.Write(make([]byte, size))
		require.NoError(t, err)
		n, err := server.Read(make([]byte, size+1))
		require.NoError(t, err)
		require.Equal(t, size, n)
	}
	return client.LocalAddr().(*net.UDPAddr).AddrPort(), server.LocalAddr().(*net.UDPAddr).AddrPort()
}

// refused sends a datagram of this size to a closed port.
func refused(t *testing.T, address netip.Addr, size int) {
	t.Helper()
	client, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(address, closedPort)))
	require.NoError(t, err)
	defer client.Close()
	_, err = client.Write(make([]byte, size))
	require.NoError(t, err)
	_, err = client.Read(make([]byte, 1))
	require.Error(t, err)
}

// transfer sends so many bytes over a connection. Then both sides close it.
func transfer(t *testing.T, address netip.Addr, size int) {
	t.Helper()
	listener, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(address, 0)))
	require.NoError(t, err)
	defer listener.Close()
	client, err := net.DialTCP("tcp", nil, listener.Addr().(*net.TCPAddr))
	require.NoError(t, err)
	server, err := listener.Accept()
	require.NoError(t, err)
	written := make(chan error, 1)
	go func() {
		_, err := client.Write(make([]byte, size))
		written <- err
	}()
	for read := 0; read < size; {
		n, err := server.Read(make([]byte, size))
		require.NoError(t, err)
		read += n
	}
	require.NoError(t, <-written)
	require.NoError(t, client.Close())
	_, err = server.Read(make([]byte, 1))
	require.Error(t, err)
	require.NoError(t, server.Close())
}

// Upper interfaces have no driver for XDP. Except on a VLAN's own interface, the kernel has removed the outer VLAN tag from
// the packets by then, so that only the inner one is visible.
func TestPacketsOfUpperInterfaces(t *testing.T) {
	testnet.Require(t)
	for _, kind := range []string{"bond", "macvlan", "vlan"} {
		w := testnet.NewWire(t, testnet.NewNamespace(t), kind[:2])
		upper := w.NewUpper(t, kind, "up-"+kind[:2])
		if upper == "" {
			t.Logf("this kernel has no interfaces of the kind %s", kind)
			continue
		}
		t.Run(kind, func(t *testing.T) {
			truths, send := untagged(packetTruths()), w.Send
			if kind == "vlan" {
				truths = packetTruths()
				send = func(t testing.TB, frame []byte) {
					w.Send(t, slices.Concat(frame[:12], []byte{testnet.TypeVLAN >> 8, testnet.TypeVLAN & 0xff, 0, testnet.UpperVLAN}, frame[12:]))
				}
			}
			r := testreceiver.Start(t, onlyPacket(", sample_every: 1", "up-"+kind[:2]))
			assert.Equal(t, "generic", attachedAs(t, r, upper))
			countedAndSampled(t, r, upper, truths, send)
		})
	}
}

// untagged returns the packets as they look without their outer VLAN tag. Packets with more tags than the program reads are
// left out, because then one tag fewer remains.
func untagged(truths []packetTruth) []packetTruth {
	const vlans = "ebpf.packet.vlans"
	return slices.Collect(func(yield func(packetTruth) bool) {
		for _, truth := range truths {
			tags, _ := truth.sample[vlans].([]any)
			truth.sample = maps.Clone(truth.sample)
			delete(truth.sample, vlans)
			if len(tags) == 2 {
				truth.sample[vlans] = tags[1:]
			}
			if len(tags) == 2 && len(truth.series) == 0 {
				continue
			}
			if !yield(truth) {
				return
			}
		}
	})
}
