// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
)

var allHosts = net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

func linkAddress(t *testing.T, ns *testnet.Namespace, device string) (own net.HardwareAddr) {
	t.Helper()
	require.NoError(t, ns.Run(func() error {
		i, err := net.InterfaceByName(device)
		if err == nil {
			own = i.HardwareAddr
		}
		return err
	}))
	return own
}

// openFrames opens a socket that sends whole frames through the device.
func openFrames(t *testing.T, ns *testnet.Namespace, device string) (fd int) {
	t.Helper()
	require.NoError(t, ns.Run(func() error {
		i, err := net.InterfaceByName(device)
		if err != nil {
			return err
		}
		if fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
		return unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: i.Index})
	}))
	t.Cleanup(func() { _ = unix.Close(fd) })
	return fd
}

// send sends a frame.
func send(t *testing.T, fd int, to net.HardwareAddr, kind uint16, rest []byte) {
	t.Helper()
	frame := append(append(append(net.HardwareAddr{}, to...), 2, 0, 0, 0, 0, 1), 0, 0)
	binary.BigEndian.PutUint16(frame[12:], kind)
	if _, err := unix.Write(fd, append(frame, rest...)); !errors.Is(err, unix.ENOBUFS) { // that it was dropped on its way out
		require.NoError(t, err)
	}
}

// A frame without a protocol handler is lost if it was for this host, with or without a socket of its sender.
func TestPacketDropOfFrames(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyPacketDrop)
	left, right := testnet.NewPair(t)
	own, fd := linkAddress(t, right, testnet.Right.Device), openFrames(t, left, testnet.Left.Device)
	const experimental, lldp = 0x88b5, 0x88cc
	bridges := net.HardwareAddr{1, 0x80, 0xc2, 0, 0, 0x0e}
	for _, tt := range []struct {
		name  string
		to    net.HardwareAddr
		kind  uint16
		rest  []byte
		drops int
	}{
		{"for this host", own, experimental, make([]byte, 46), 1},
		{"with two tags", own, testnet.TypeOuterVLAN, testnet.VLAN(100, testnet.TypeVLAN, testnet.VLAN(101, testnet.TypeIPv4, make([]byte, 46))), 1},
		{"for all", allHosts, experimental, make([]byte, 46), 0},
		{"of the link layer", bridges, lldp, make([]byte, 46), 0},
		{"too short for an IP header", own, testnet.TypeIPv4, make([]byte, 12), 1},
		{"for another host", net.HardwareAddr{2, 9, 9, 9, 9, 9}, experimental, make([]byte, 46), 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			noNetwork := func(e testreceiver.Event) bool { return e.Attributes["network.type"] == nil }
			before := len(r.Events.Matching(testreceiver.Named(dropEvent), testreceiver.InNamespace(right), noNetwork))
			send(t, fd, tt.to, tt.kind, tt.rest)
			events := r.Exactly(t, before+tt.drops, testreceiver.Named(dropEvent), testreceiver.InNamespace(right), noNetwork)[before:]
			for _, e := range events {
				if kernelSays().reasons && tt.kind != testnet.TypeIPv4 {
					assert.Equal(t, "unhandled_proto", e.Attributes[reasonKey])
				}
				assert.Equal(t, testnet.Right.Device, e.Attributes[interfaceKey])
			}
		})
	}
}

// A DHCP server sends its offer to an address that the host does not have yet; the host reads the offer with a packet socket. Another
// datagram to an unused address is lost.
func TestPacketDropsLeaveOutOffersOfAddresses(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyPacketDrop)
	left, right := testnet.NewPair(t)
	own, fd := linkAddress(t, right, testnet.Right.Device), openFrames(t, left, testnet.Left.Device)
	offered := netip.MustParseAddr("198.18.0.99")
	for _, ports := range [][2]uint16{{67, 68}, {67, filteredPort}} {
		packet := testnet.IPv4(testnet.Left.IPv4, offered, 64, unix.IPPROTO_UDP, 0, nil, testnet.Ports(ports[0], ports[1]))
		binary.BigEndian.PutUint16(packet[10:], onesComplement(packet[:20]))
		send(t, fd, own, testnet.TypeIPv4, packet)
	}
	e := r.Exactly(t, 1, testreceiver.Named(dropEvent), at(right), testreceiver.With("destination.address", offered.String()))[0]
	assert.Equal(t, int64(filteredPort), e.Attributes["destination.port"])
}

// One end of a link comes up before the other one, as when a container starts. The kernel repeats its own packets for the link, such as
// neighbour discovery. Other packets are lost.
func TestPacketDropsLeaveOutControlOfLinksThatAreDown(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyPacketDrop)
	left, right := testnet.NewPair(t)
	fd := openFrames(t, left, testnet.Left.Device)
	const icmpv6, neighbourSolicitation = 58, 135
	nodes := netip.MustParseAddr("ff02::1:ff00:2")
	control := testnet.IPv6(testnet.Left.IPv6, nodes, 255, icmpv6, append([]byte{neighbourSolicitation}, make([]byte, 23)...))
	reported := testnet.IPv4(testnet.Left.IPv4, testnet.Right.IPv4, 64, unix.IPPROTO_UDP, 0, nil, testnet.Ports(67, filteredPort))
	right.Down(t, testnet.Right.Device)
	const count = 3
	for range count {
		send(t, fd, net.HardwareAddr{0x33, 0x33, 0xff, 0, 0, 2}, testnet.TypeIPv6, control)
		send(t, fd, allHosts, testnet.TypeARP, make([]byte, 28))
		send(t, fd, net.HardwareAddr{2, 0, 0, 0, 0, 2}, testnet.TypeIPv4, reported)
	}
	r.Exactly(t, count, testreceiver.Named(dropEvent), testreceiver.With("destination.port", int64(filteredPort)), testreceiver.InNamespace(left, right))
	for _, e := range r.Events.Matching(testreceiver.Named(dropEvent), testreceiver.InNamespace(left, right)) {
		assert.Equal(t, int64(filteredPort), e.Attributes["destination.port"], e.Body)
	}
}
