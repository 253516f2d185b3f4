// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package testhost

import (
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"github.com/stretchr/testify/require"
)

// Deny attaches a policy to the group that denies all, until the end of the test: a BPF program of the kind of the hook.
func (c *Cgroup) Deny(t testing.TB, hook ebpf.AttachType) {
	t.Helper()
	kind := ebpf.CGroupSockAddr
	if hook == ebpf.AttachCGroupInetEgress || hook == ebpf.AttachCGroupInetIngress {
		kind = ebpf.CGroupSKB
	}
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "denying", Type: kind, AttachType: hook, License: "Dual BSD/GPL",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.Close() })
	l, err := link.AttachCgroup(link.CgroupOptions{Path: c.directory(), Attach: hook, Program: p})
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
}
