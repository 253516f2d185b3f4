// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

var (
	group4, group6 = netip.MustParseAddr("239.77.0.1"), netip.MustParseAddr("ff15::77")
	broadcast      = netip.MustParseAddr("198.18.0.255")
)

const groupPort = 7800

// joinGroup opens a socket in the namespace that has joined the group. Its buffer has the minimum size.
func joinGroup(t *testing.T, ns *testnet.Namespace, device string, group netip.Addr) *net.UDPConn {
	t.Helper()
	var conn *net.UDPConn
	require.NoError(t, ns.Run(func() error {
		i, err := net.InterfaceByName(device)
		if err != nil {
			return err
		}
		conn, err = net.ListenMulticastUDP("udp", i, &net.UDPAddr{IP: group.AsSlice(), Port: groupPort})
		return err
	}))
	require.NoError(t, conn.SetReadBuffer(1))
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// groupSender opens a socket that sends to groups through the device.
func groupSender(t *testing.T, ns *testnet.Namespace, device string, to netip.Addr) (send func(count int)) {
	t.Helper()
	family := unix.AF_INET
	if to.Is6() {
		family = unix.AF_INET6
	}
	var fd int
	require.NoError(t, ns.Run(func() (err error) {
		i, err := net.InterfaceByName(device)
		if err != nil {
			return err
		}
		if fd, err = unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
		if to.Is6() {
			return unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_IF, i.Index)
		}
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BROADCAST, 1); err != nil {
			return err
		}
		return unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_IF, &unix.IPMreqn{Ifindex: int32(i.Index)})
	}))
	t.Cleanup(func() { _ = unix.Close(fd) })
	var address unix.Sockaddr = &unix.SockaddrInet4{Addr: as4(to), Port: groupPort}
	if to.Is6() {
		address = &unix.SockaddrInet6{Addr: to.As16(), Port: groupPort}
	}
	return func(count int) {
		for range count {
			require.NoError(t, unix.Sendto(fd, make([]byte, 1000), 0, address))
		}
	}
}

func as4(a netip.Addr) (octets [4]byte) {
	if a.Is4() {
		octets = a.As4()
	}
	return octets
}

// A datagram to a group is lost if a member has no room for it. It is not lost if the group has no members.
func TestPacketDropOfGroups(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, ownPacketDrop)
	left, right := testnet.NewPair(t)
	for _, group := range []netip.Addr{broadcast, group4, group6} {
		toGroup := testreceiver.With("destination.address", group.String())
		send := groupSender(t, left, testnet.Left.Device, group)
		send(20)
		r.Settle(t)
		assert.Empty(t, r.Events.Matching(testreceiver.Named(dropEvent), testreceiver.InNamespace(left, right), toGroup), "%s has no members", group)
		if group == broadcast {
			continue
		}
		conn := joinGroup(t, right, testnet.Right.Device, group)
		const sent = 50
		send(sent)
		lost := sent - received(t, conn)
		require.Positive(t, lost)
		events := r.Exactly(t, lost, testreceiver.Named(dropEvent), testreceiver.InNamespace(right), toGroup, withReason("socket_rcvbuff"))
		for _, e := range events {
			assert.Equal(t, int64(groupPort), e.Attributes["destination.port"])
		}
	}
}

// received reads and counts the queued datagrams of the socket.
func received(t *testing.T, conn *net.UDPConn) (count int) {
	t.Helper()
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(200*time.Millisecond)))
	for buffer := make([]byte, 2000); ; count++ {
		if _, err := conn.Read(buffer); err != nil {
			return count
		}
	}
}

// The answer to a ping is not lost, even if only a raw socket gets a copy.
func TestPacketDropsLeaveOutPings(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyPacketDrop)
	s := newClientServer(t)
	root := traffic.Start(t, s.left)
	for _, f := range families[:2] {
		root.Ping(f.dial, 56)
	}
	time.Sleep(50 * time.Millisecond)
	r.Settle(t)
	assert.Empty(t, r.Events.Matching(unicastDrop, testreceiver.InNamespace(s.left, s.right)))
}

// The kernel gets its own copy of what it sends to a group by the loopback interface. Where nobody has joined, nothing is lost. What a
// black hole takes away is.
func TestPacketDropsLeaveOutGroupsOnLoopback(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, ownPacketDrop)
	ns := testnet.NewNamespace(t)
	hole := netip.MustParseAddr("198.51.100.9")
	ns.AddRoute(t, "lo", netip.PrefixFrom(group4, 8), netip.Addr{})
	groupSender(t, ns, "lo", group4)(3)
	left, router, right := testnet.NewNamespace(t), testnet.NewNamespace(t), testnet.NewNamespace(t)
	testnet.JoinOver(t, left, router, right)
	router.RefuseRoute(t, netip.PrefixFrom(hole, hole.BitLen()), unix.RTN_BLACKHOLE)
	a := traffic.Start(t, left)
	a.SendTo(a.OpenUDP(traffic.Addr(testnet.Left.IPv4, 0)).FD, traffic.Addr(hole, closedPort), 10)
	r.Exactly(t, 1, testreceiver.Named(dropEvent), testreceiver.InNamespace(router), testreceiver.With("destination.address", hole.String()))
	r.Settle(t)
	assert.Empty(t, r.Events.Matching(testreceiver.Named(dropEvent), testreceiver.InNamespace(ns)))
}
