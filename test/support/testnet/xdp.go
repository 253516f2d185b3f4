// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package testnet

import (
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Occupation is an XDP program of somebody else on a wire.
type Occupation struct {
	// ID is the program's id.
	ID int
	// Leave detaches it. The end of the test does, too.
	Leave func()
}

// OccupyByLink attaches a program to the receiving interface by a BPF link, as newer loaders do.
func (w *Wire) OccupyByLink(t testing.TB) Occupation {
	t.Helper()
	p, id := passingProgram(t)
	l, err := link.AttachXDP(link.XDPOptions{Program: p, Interface: w.Index, Flags: link.XDPDriverMode})
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return Occupation{id, func() { require.NoError(t, l.Close()) }}
}

// OccupyGeneric attaches a program in generic mode, as `ip link set dev … xdpgeneric` does.
func (w *Wire) OccupyGeneric(t testing.TB) Occupation {
	t.Helper()
	p, id := passingProgram(t)
	device, err := netlink.LinkByIndex(w.Index)
	require.NoError(t, err)
	set := func(fd int) error { return netlink.LinkSetXdpFdWithFlags(device, fd, unix.XDP_FLAGS_SKB_MODE) }
	require.NoError(t, set(p.FD()))
	t.Cleanup(func() { _ = set(-1) })
	return Occupation{id, func() { require.NoError(t, set(-1)) }}
}

// DetachXDP detaches the program of the wire's BPF link, as `bpftool link detach` does.
func (w *Wire) DetachXDP(t testing.TB) {
	t.Helper()
	l := w.xdpLink(t)
	require.NoError(t, l.Detach())
	require.NoError(t, l.Close())
}

// ReplaceXDP replaces the program of the wire's BPF link and keeps the link.
func (w *Wire) ReplaceXDP(t testing.TB) Occupation {
	t.Helper()
	p, id := passingProgram(t)
	l := w.xdpLink(t)
	t.Cleanup(func() { _ = l.Close() })
	require.NoError(t, l.Update(p))
	return Occupation{id, func() { require.NoError(t, l.Close()) }}
}

// RemoveXDP does what `ip link set dev … xdp off` does, also for generic mode.
func (w *Wire) RemoveXDP(t testing.TB) error {
	t.Helper()
	device, err := netlink.LinkByIndex(w.Index)
	require.NoError(t, err)
	flags := unix.XDP_FLAGS_SKB_MODE
	if _, native := w.XDP(t); native {
		flags = unix.XDP_FLAGS_DRV_MODE
	}
	return netlink.LinkSetXdpFdWithFlags(device, -1, flags)
}

// xdpLink returns the BPF link that attaches a program to the wire.
func (w *Wire) xdpLink(t testing.TB) link.Link {
	t.Helper()
	all := &link.Iterator{}
	for all.Next() {
		info, err := all.Link.Info()
		if err == nil && info.Type == link.XDPType && info.XDP().Ifindex == uint32(w.Index) {
			return all.Take()
		}
	}
	require.NoError(t, all.Err())
	require.FailNow(t, "no link is attached to the wire")
	return nil
}

// passingProgram loads a program that passes all packets.
func passingProgram(t testing.TB) (p *ebpf.Program, id int) {
	t.Helper()
	const pass = 2 // XDP_PASS
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "passing", Type: ebpf.XDP, AttachType: ebpf.AttachXDP, License: "Dual BSD/GPL",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, pass), asm.Return()},
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.Close() })
	info, err := p.Info()
	require.NoError(t, err)
	number, ok := info.ID()
	require.True(t, ok)
	return p, int(number)
}
