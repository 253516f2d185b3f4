// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package testnet

import (
	"encoding/binary"
	"testing"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// Hook is the place of a packet filter.
type Hook int

// The hooks that tests use.
const (
	Input Hook = iota
	Output
	Forward
)

// Filter selects packets of a namespace that are dropped or rejected.
type Filter struct {
	Hook Hook
	// Protocol is the IP protocol: unix.IPPROTO_TCP and so on.
	Protocol int
	// Port is the destination port, SourcePort the source port; 0 is any.
	Port, SourcePort uint16
	// ICMPType is the type of an ICMP or ICMPv6 message; 0 is any.
	ICMPType uint8
	// TCPFlags are flags as in the header's flag byte. At least one must be set; 0 is any.
	TCPFlags byte
	// Skip lets that many matching packets pass first.
	Skip int
	// First drops only that many matching packets, the first ones; 0 is no limit.
	First int
	// Reject answers with this code of ICMP or ICMPv6 "unreachable" instead of dropping silently.
	Reject *uint8
	// Reset answers a TCP segment with a reset.
	Reset bool
}

// Rule is an active filter.
type Rule struct {
	conn  *nftables.Conn
	table *nftables.Table
	chain *nftables.Chain
}

// AddFilter activates the filter in the namespace until Remove is called or the test ends.
func (n *Namespace) AddFilter(t testing.TB, f Filter) *Rule {
	t.Helper()
	conn, err := nftables.New(nftables.WithNetNSFd(int(n.handle)))
	require.NoError(t, err, "opening nftables in the namespace")

	tables, err := conn.ListTablesOfFamily(nftables.TableFamilyINet)
	require.NoError(t, err, "listing nftables tables")
	// Use one table per filter, so that each can be removed and read alone.
	table := conn.AddTable(&nftables.Table{Family: nftables.TableFamilyINet, Name: "kernel-test-" + string(rune('a'+len(tables)))})
	hook := map[Hook]*nftables.ChainHook{
		Input: nftables.ChainHookInput, Output: nftables.ChainHookOutput, Forward: nftables.ChainHookForward,
	}[f.Hook]
	chain := conn.AddChain(&nftables.Chain{
		Name: "filter", Table: table, Type: nftables.ChainTypeFilter, Hooknum: hook, Priority: nftables.ChainPriorityFilter,
	})
	conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: f.expressions()})
	require.NoError(t, conn.Flush(), "adding a packet filter")
	return &Rule{conn: conn, table: table, chain: chain}
}

// Packets is the packet filter's own count of dropped or rejected packets.
func (r *Rule) Packets(t testing.TB) int {
	t.Helper()
	counter := r.counter(t)
	return int(counter.Packets)
}

// Bytes is the size of those packets, including the IP header.
func (r *Rule) Bytes(t testing.TB) int {
	t.Helper()
	counter := r.counter(t)
	return int(counter.Bytes)
}

// Remove removes the filter.
func (r *Rule) Remove(t testing.TB) {
	t.Helper()
	r.conn.DelTable(r.table)
	require.NoError(t, r.conn.Flush(), "removing a packet filter")
}

func (r *Rule) counter(t testing.TB) *expr.Counter {
	t.Helper()
	rules, err := r.conn.GetRules(r.table, r.chain)
	require.NoError(t, err, "reading a packet filter")
	require.Len(t, rules, 1)
	for _, e := range rules[0].Exprs {
		if counter, ok := e.(*expr.Counter); ok {
			return counter
		}
	}
	require.FailNow(t, "the rule has no counter")
	return nil
}

func (f Filter) expressions() []expr.Any {
	const register = 1
	exprs := []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: register},
		&expr.Cmp{Op: expr.CmpOpEq, Register: register, Data: []byte{byte(f.Protocol)}},
	}
	if f.Port != 0 {
		exprs = append(exprs,
			&expr.Payload{DestRegister: register, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
			&expr.Cmp{Op: expr.CmpOpEq, Register: register, Data: binary.BigEndian.AppendUint16(nil, f.Port)})
	}
	if f.SourcePort != 0 {
		exprs = append(exprs,
			&expr.Payload{DestRegister: register, Base: expr.PayloadBaseTransportHeader, Offset: 0, Len: 2},
			&expr.Cmp{Op: expr.CmpOpEq, Register: register, Data: binary.BigEndian.AppendUint16(nil, f.SourcePort)})
	}
	if f.ICMPType != 0 {
		exprs = append(exprs,
			&expr.Payload{DestRegister: register, Base: expr.PayloadBaseTransportHeader, Offset: 0, Len: 1},
			&expr.Cmp{Op: expr.CmpOpEq, Register: register, Data: []byte{f.ICMPType}})
	}
	if f.TCPFlags != 0 {
		exprs = append(exprs,
			&expr.Payload{DestRegister: register, Base: expr.PayloadBaseTransportHeader, Offset: 13, Len: 1},
			&expr.Bitwise{SourceRegister: register, DestRegister: register, Len: 1, Mask: []byte{f.TCPFlags}, Xor: []byte{0}},
			&expr.Cmp{Op: expr.CmpOpNeq, Register: register, Data: []byte{0}})
	}
	if f.Skip > 0 {
		// At this rate no token is added during a test, so packets beyond the burst match.
		exprs = append(exprs, &expr.Limit{Type: expr.LimitTypePkts, Rate: 1, Unit: expr.LimitTimeWeek, Burst: uint32(f.Skip), Over: true})
	}
	if f.First > 0 {
		exprs = append(exprs, &expr.Limit{Type: expr.LimitTypePkts, Rate: 1, Unit: expr.LimitTimeWeek, Burst: uint32(f.First)})
	}
	exprs = append(exprs, &expr.Counter{})
	if f.Reject != nil {
		return append(exprs, &expr.Reject{Type: unix.NFT_REJECT_ICMP_UNREACH, Code: *f.Reject})
	}
	if f.Reset {
		return append(exprs, &expr.Reject{Type: unix.NFT_REJECT_TCP_RST})
	}
	return append(exprs, &expr.Verdict{Kind: expr.VerdictDrop})
}
