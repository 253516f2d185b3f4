// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package lab

import (
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Occupation is an XDP program of somebody else's on a wire.
type Occupation struct {
	// ID is that of the program.
	ID int
	// Leave takes it away; the test's end does it otherwise.
	Leave func()
}

// OccupyByLink attaches a program to the test's side of the wire as newer programs do it, by a link.
func (w *Wire) OccupyByLink(t testing.TB) Occupation {
	t.Helper()
	p, id := passingProgram(t)
	l, err := link.AttachXDP(link.XDPOptions{Program: p, Interface: w.Index, Flags: link.XDPDriverMode})
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return Occupation{id, func() { require.NoError(t, l.Close()) }}
}

// OccupyGeneric attaches a program behind the driver, as `ip link set dev … xdpgeneric` does.
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

// passingProgram loads a program that lets every packet pass.
func passingProgram(t testing.TB) (p *ebpf.Program, id int) {
	t.Helper()
	const pass = 2 // XDP_PASS
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "passing", Type: ebpf.XDP, License: "Dual BSD/GPL",
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
