// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package testnet

import (
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// FarLeft and FarRight are the ends of a second link: of a router, and of what is behind it.
var (
	FarLeft  = End{Device: "kt-far-left", IPv4: netip.MustParseAddr("198.18.1.1"), IPv6: netip.MustParseAddr("fd18:0:0:1::1")}
	FarRight = End{Device: "kt-far-right", IPv4: netip.MustParseAddr("198.18.1.2"), IPv6: netip.MustParseAddr("fd18:0:0:1::2")}
)

// JoinOver links two namespaces by a router between them: left has the end Left, right the end FarRight.
func JoinOver(t testing.TB, left, router, right *Namespace) {
	t.Helper()
	Join(t, left, router)
	JoinBy(t, router, FarLeft.Device, right, FarRight.Device)
	for ns, end := range map[*Namespace]End{router: FarLeft, right: FarRight} {
		ns.AddAddress(t, end.Device, netip.PrefixFrom(end.IPv4, Prefix4.Bits()))
		ns.AddAddress(t, end.Device, netip.PrefixFrom(end.IPv6, Prefix6.Bits()))
	}
	router.Sysctl(t, "net.ipv4.ip_forward", "1")
	router.Sysctl(t, "net.ipv6.conf.all.forwarding", "1")
	for _, any := range []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")} {
		left.AddRoute(t, Left.Device, any, Right.Of(any.Addr()))
		right.AddRoute(t, FarRight.Device, any, FarLeft.Of(any.Addr()))
	}
}

// Of is the end's address of the family of another one.
func (e End) Of(other netip.Addr) netip.Addr {
	if other.Is4() {
		return e.IPv4
	}
	return e.IPv6
}

// AddRoute adds a route by an interface; without a gateway, to the link.
func (n *Namespace) AddRoute(t testing.TB, device string, to netip.Prefix, gateway netip.Addr) {
	t.Helper()
	route := netlink.Route{LinkIndex: n.InterfaceIndex(t, device), Dst: network(to)}
	if gateway.IsValid() {
		route.Gw = gateway.AsSlice()
	}
	require.NoError(t, n.links.RouteAdd(&route), "route to %s", to)
}

// RefuseRoute adds a route that refuses packets: unix.RTN_BLACKHOLE, RTN_UNREACHABLE or RTN_PROHIBIT.
func (n *Namespace) RefuseRoute(t testing.TB, to netip.Prefix, kind int) {
	t.Helper()
	route := netlink.Route{Dst: network(to), Type: kind}
	if to.Addr().Is6() {
		route.LinkIndex = n.InterfaceIndex(t, "lo")
	}
	require.NoError(t, n.links.RouteAdd(&route), "route to %s", to)
}

// Hide gives a neighbour a link-layer address that nobody has: what is sent to it gets lost without a drop.
func (n *Namespace) Hide(t testing.TB, device string, neighbour netip.Addr) {
	t.Helper()
	require.NoError(t, n.links.NeighSet(&netlink.Neigh{
		LinkIndex: n.InterfaceIndex(t, device), IP: neighbour.AsSlice(), State: unix.NUD_PERMANENT,
		HardwareAddr: net.HardwareAddr{2, 0, 0, 0, 0, 0x77},
	}), "neighbour %s", neighbour)
}

// SetMTU sets the MTU of an interface.
func (n *Namespace) SetMTU(t testing.TB, device string, mtu int) {
	t.Helper()
	link, err := n.links.LinkByName(device)
	require.NoError(t, err, "interface %s", device)
	require.NoError(t, n.links.LinkSetMTU(link, mtu))
}

func network(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Masked().Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
