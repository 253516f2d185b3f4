// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package kerneltest is for tests that load eBPF programs and maps.
package kerneltest

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/rlimit"
)

// Require skips a test that needs eBPF where that can't be had, and says why. With OTELCOL_EBPF_REQUIRE_KERNEL=1 it fails
// the test instead.
func Require(tb testing.TB) {
	tb.Helper()
	err := usable()
	if err == nil {
		return
	}
	if os.Getenv("OTELCOL_EBPF_REQUIRE_KERNEL") == "1" {
		tb.Fatalf("OTELCOL_EBPF_REQUIRE_KERNEL=1, but this test can't run here: %v", err)
	}
	tb.Skip(err)
}

func usable() error {
	if _, err := os.Stat("/sys/kernel/btf/vmlinux"); err != nil {
		return fmt.Errorf("this kernel has no BTF: %w", err)
	}
	// Before Linux 5.11 maps count as locked memory.
	if err := rlimit.RemoveMemlock(); err != nil {
		return fmt.Errorf("the limit of locked memory can't be lifted: %w", err)
	}
	m, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.RingBuf, MaxEntries: uint32(os.Getpagesize())})
	if err != nil {
		return fmt.Errorf("no eBPF map can be made, which takes root or CAP_BPF and Linux 5.8: %w", err)
	}
	return m.Close()
}

// Programs returns the ids of all programs of the kernel that have a name.
func Programs(tb testing.TB, name string) (ids []ebpf.ProgramID) {
	tb.Helper()
	var last ebpf.ProgramID
	for {
		id, err := ebpf.ProgramGetNextID(last)
		if errors.Is(err, os.ErrNotExist) {
			return ids
		}
		if err != nil {
			tb.Fatalf("list the programs of the kernel: %v", err)
		}
		last = id
		p, err := ebpf.NewProgramFromID(id)
		if err != nil {
			continue // it has just gone away
		}
		info, err := p.Info()
		if err != nil {
			tb.Fatalf("look at program %d: %v", id, err)
		}
		if info.Name == name {
			ids = append(ids, id)
		}
		_ = p.Close()
	}
}

// Maps returns the ids of all maps of the kernel that have a name.
func Maps(tb testing.TB, name string) (ids []ebpf.MapID) {
	tb.Helper()
	var last ebpf.MapID
	for {
		id, err := ebpf.MapGetNextID(last)
		if errors.Is(err, os.ErrNotExist) {
			return ids
		}
		if err != nil {
			tb.Fatalf("list the maps of the kernel: %v", err)
		}
		last = id
		m, err := ebpf.NewMapFromID(id)
		if err != nil {
			continue
		}
		info, err := m.Info()
		if err != nil {
			tb.Fatalf("look at map %d: %v", id, err)
		}
		if info.Name == name {
			ids = append(ids, id)
		}
		_ = m.Close()
	}
}
