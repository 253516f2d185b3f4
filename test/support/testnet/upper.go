// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package testnet

import (
	"errors"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// UpperVLAN is the VLAN of an upper interface of the kind "vlan".
const UpperVLAN = 100

// NewUpper creates an interface of a kind ("bond", "macvlan" or "vlan") on top of the wire. It receives what the wire
// receives. It returns "" if this kernel lacks the kind.
func (w *Wire) NewUpper(t testing.TB, kind, name string) (device string) {
	t.Helper()
	device = WireName(name)
	lower, err := netlink.LinkByIndex(w.Index)
	require.NoError(t, err)
	attrs := netlink.NewLinkAttrs()
	attrs.Name = device
	// The frames of Ethernet have this destination.
	attrs.HardwareAddr = net.HardwareAddr(Ethernet(0)[:6])
	var upper netlink.Link
	switch kind {
	case "bond":
		upper = netlink.NewLinkBond(attrs)
	case "macvlan":
		attrs.ParentIndex = w.Index
		upper = &netlink.Macvlan{LinkAttrs: attrs, Mode: netlink.MACVLAN_MODE_PRIVATE}
	case "vlan":
		attrs.ParentIndex = w.Index
		upper = &netlink.Vlan{LinkAttrs: attrs, VlanId: UpperVLAN, VlanProtocol: netlink.VLAN_PROTOCOL_8021Q}
	}
	if err := netlink.LinkAdd(upper); errors.Is(err, unix.EOPNOTSUPP) {
		return ""
	}
	require.NoError(t, err, "making a %s", kind)
	t.Cleanup(func() { _ = netlink.LinkDel(upper) })
	upper, err = netlink.LinkByName(device)
	require.NoError(t, err)
	require.NoError(t, quiet(device))
	if attrs.ParentIndex == 0 {
		require.NoError(t, netlink.LinkSetDown(lower)) // a bond accepts only interfaces that are down
		require.NoError(t, netlink.LinkSetMaster(lower, upper))
		require.NoError(t, netlink.LinkSetUp(lower))
		require.NoError(t, w.await())
	}
	require.NoError(t, netlink.LinkSetUp(upper))
	return device
}
