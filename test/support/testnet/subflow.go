// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package testnet

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// The kernel's path manager of MPTCP: include/uapi/linux/mptcp_pm.h.
const (
	pmAddAddress, pmSetLimits                               = 1, 5
	pmAddress, pmAccepted, pmSubflows                       = 1, 2, 3
	pmAddressFamily, pmAddress4, pmAddress6, pmAddressFlags = 1, 3, 4, 6
	pmFlagSubflow                                           = 2
)

// AllowSubflows lets each connection of MPTCP have two further subflows.
func (n *Namespace) AllowSubflows(t testing.TB) {
	t.Helper()
	n.managePaths(t, pmSetLimits, nl.NewRtAttr(pmAccepted, nl.Uint32Attr(2)), nl.NewRtAttr(pmSubflows, nl.Uint32Attr(2)))
}

// AddSubflow has connections of MPTCP open a further subflow from an address.
func (n *Namespace) AddSubflow(t testing.TB, from netip.Addr) {
	t.Helper()
	family, kind := uint16(unix.AF_INET), pmAddress4
	if from.Is6() {
		family, kind = unix.AF_INET6, pmAddress6
	}
	address := nl.NewRtAttr(pmAddress|unix.NLA_F_NESTED, nil)
	address.AddRtAttr(pmAddressFamily, binary.NativeEndian.AppendUint16(nil, family))
	address.AddRtAttr(kind, from.AsSlice())
	address.AddRtAttr(pmAddressFlags, nl.Uint32Attr(pmFlagSubflow))
	n.managePaths(t, pmAddAddress, address)
}

func (n *Namespace) managePaths(t testing.TB, command uint8, attributes ...*nl.RtAttr) {
	t.Helper()
	require.NoError(t, n.Run(func() error {
		family, err := netlink.GenlFamilyGet("mptcp_pm")
		if err != nil {
			return err
		}
		request := nl.NewNetlinkRequest(int(family.ID), unix.NLM_F_ACK)
		request.AddData(&nl.Genlmsg{Command: command, Version: 1})
		for _, a := range attributes {
			request.AddData(a)
		}
		_, err = request.Execute(unix.NETLINK_GENERIC, 0)
		return err
	}), "configuring MPTCP")
}
