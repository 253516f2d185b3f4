// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package testnet

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
)

// Prefixes of the links of all tests: the IPv4 range for benchmarks (RFC 2544) and a unique local IPv6 one. Hosts do not use
// them.
var (
	Prefix4 = netip.MustParsePrefix("198.18.0.0/24")
	Prefix6 = netip.MustParsePrefix("fd18::/64")
)

// End is a namespace's end of a link.
type End struct {
	// Device is the interface's name.
	Device string
	// IPv4 and IPv6 are the end's addresses.
	IPv4, IPv6 netip.Addr
}

// Mapped is the IPv4 address as an IPv4-mapped IPv6 address.
func (e End) Mapped() netip.Addr { return netip.AddrFrom16(e.IPv4.As16()) }

// Left and Right are the ends of every link.
var (
	Left  = End{Device: "kt-left", IPv4: netip.MustParseAddr("198.18.0.1"), IPv6: netip.MustParseAddr("fd18::1")}
	Right = End{Device: "kt-right", IPv4: netip.MustParseAddr("198.18.0.2"), IPv6: netip.MustParseAddr("fd18::2")}
)

// JoinBy links two namespaces by a veth pair whose ends have these names. Addresses that are added can be used at once.
func JoinBy(t testing.TB, left *Namespace, leftDevice string, right *Namespace, rightDevice string) {
	t.Helper()
	require.NoError(t, left.links.LinkAdd(&netlink.Veth{
		LinkAttrs:     netlink.LinkAttrs{Name: leftDevice},
		PeerName:      rightDevice,
		PeerNamespace: netlink.NsFd(int(right.handle)),
	}), "making a veth pair")
	devices := map[*Namespace]string{left: leftDevice, right: rightDevice}
	for ns, device := range devices {
		// Router solicitations and the like would be packets that no test has sent.
		ns.Sysctl(t, "net.ipv6.conf."+device+".router_solicitations", "0")
		ns.Sysctl(t, "net.ipv6.conf."+device+".accept_dad", "0")
		ns.up(t, device)
	}
	for ns, device := range devices {
		// An IPv6 address that is added before the carrier is there can be used only later.
		require.Eventually(t, func() bool { return ns.carrier(t, device) }, testenv.Patiently(10*time.Second), time.Millisecond, "the link's carrier")
	}
}

// InterfaceIndex is the index of a network interface of the namespace.
func (n *Namespace) InterfaceIndex(t testing.TB, device string) int {
	t.Helper()
	link, err := n.links.LinkByName(device)
	require.NoError(t, err)
	return link.Attrs().Index
}

// NewPair makes two namespaces that are joined.
func NewPair(t testing.TB) (left, right *Namespace) {
	t.Helper()
	left, right = NewNamespace(t), NewNamespace(t)
	Join(t, left, right)
	return left, right
}

// Join links two namespaces by a veth pair, with an IPv4 and an IPv6 address on each end that can be used at once.
func Join(t testing.TB, left, right *Namespace) {
	t.Helper()
	JoinBy(t, left, Left.Device, right, Right.Device)
	for ns, end := range map[*Namespace]End{left: Left, right: Right} {
		ns.AddAddress(t, end.Device, netip.PrefixFrom(end.IPv4, Prefix4.Bits()))
		ns.AddAddress(t, end.Device, netip.PrefixFrom(end.IPv6, Prefix6.Bits()))
	}
}
