// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package testnet

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// Translate sends what processes of the namespace send to one server to another one (DNAT), until the end of the test, in the way
// that kube-proxy does it.
func (n *Namespace) Translate(t testing.TB, protocol int, from, to netip.AddrPort) {
	t.Helper()
	conn, err := nftables.New(nftables.WithNetNSFd(int(n.handle)))
	require.NoError(t, err, "opening nftables in the namespace")
	family, offset := nftables.TableFamilyIPv4, uint32(16) // of the target in the header
	if from.Addr().Is6() {
		family, offset = nftables.TableFamilyIPv6, 24
	}
	table := conn.AddTable(&nftables.Table{Family: family, Name: "kernel-test-nat"})
	chain := conn.AddChain(&nftables.Chain{
		Name: "output", Table: table, Type: nftables.ChainTypeNAT, Hooknum: nftables.ChainHookOutput, Priority: nftables.ChainPriorityNATDest,
	})
	const address, port = 1, 2 // registers
	target := from.Addr().AsSlice()
	conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: []expr.Any{
		&expr.Payload{DestRegister: address, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: uint32(len(target))},
		&expr.Cmp{Op: expr.CmpOpEq, Register: address, Data: target},
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: address},
		&expr.Cmp{Op: expr.CmpOpEq, Register: address, Data: []byte{byte(protocol)}},
		&expr.Payload{DestRegister: address, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		&expr.Cmp{Op: expr.CmpOpEq, Register: address, Data: binary.BigEndian.AppendUint16(nil, from.Port())},
		&expr.Immediate{Register: address, Data: to.Addr().AsSlice()},
		&expr.Immediate{Register: port, Data: binary.BigEndian.AppendUint16(nil, to.Port())},
		&expr.NAT{Type: expr.NATTypeDestNAT, Family: uint32(natFamily(from.Addr())), RegAddrMin: address, RegProtoMin: port, Specified: true},
	}})
	require.NoError(t, conn.Flush(), "adding a translation")
}

func natFamily(a netip.Addr) int {
	if a.Is6() {
		return unix.NFPROTO_IPV6
	}
	return unix.NFPROTO_IPV4
}
