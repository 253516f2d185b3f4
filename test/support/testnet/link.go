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

// Join links two namespaces by a veth pair. Each end has an IPv4 and an IPv6 address that can be used at once.
func Join(t testing.TB, left, right *Namespace) {
	t.Helper()
	require.NoError(t, left.links.LinkAdd(&netlink.Veth{
		LinkAttrs:     netlink.LinkAttrs{Name: Left.Device},
		PeerName:      Right.Device,
		PeerNamespace: netlink.NsFd(int(right.handle)),
	}), "making a veth pair")
	sides := map[*Namespace]End{left: Left, right: Right}
	for ns, end := range sides {
		// Without router solicitations and the like, all packets are those of the test.
		ns.Sysctl(t, "net.ipv6.conf."+end.Device+".router_solicitations", "0")
		ns.Sysctl(t, "net.ipv6.conf."+end.Device+".accept_dad", "0")
		ns.up(t, end.Device)
	}
	for ns, end := range sides {
		// An IPv6 address that is added before the interface has a carrier cannot be used at once.
		require.Eventually(t, func() bool { return ns.carrier(t, end.Device) }, testenv.Patiently(10*time.Second), time.Millisecond, "the link's carrier")
		ns.AddAddress(t, end.Device, netip.PrefixFrom(end.IPv4, Prefix4.Bits()))
		ns.AddAddress(t, end.Device, netip.PrefixFrom(end.IPv6, Prefix6.Bits()))
	}
}
