// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package kerneltest helps tests that load BPF programs and maps.
package kerneltest

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/rlimit"
)

// Require skips a test, with the reason, if BPF programs cannot be loaded. With OTELCOL_EBPF_REQUIRE_KERNEL=1 it fails the
// test instead.
func Require(tb testing.TB) {
	tb.Helper()
	err := usable()
	if err == nil {
		return
	}
	if os.Getenv("OTELCOL_EBPF_REQUIRE_KERNEL") == "1" {
		tb.Fatalf("OTELCOL_EBPF_REQUIRE_KERNEL=1, but this test cannot run here: %v", err)
	}
	tb.Skip(err)
}

func usable() error {
	if _, err := os.Stat("/sys/kernel/btf/vmlinux"); err != nil {
		return fmt.Errorf("this kernel has no BTF: %w", err)
	}
	// Before Linux 5.11, maps count as locked memory.
	if err := rlimit.RemoveMemlock(); err != nil {
		return fmt.Errorf("cannot raise the limit of locked memory: %w", err)
	}
	m, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.RingBuf, MaxEntries: uint32(os.Getpagesize())})
	if err != nil {
		return fmt.Errorf("cannot create a BPF map, which needs root or CAP_BPF, and Linux 5.8: %w", err)
	}
	return m.Close()
}

// Programs returns the ids of all BPF programs of the kernel with this name.
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
			continue // freed meanwhile
		}
		info, err := p.Info()
		if err != nil {
			tb.Fatalf("get information about program %d: %v", id, err)
		}
		if info.Name == name {
			ids = append(ids, id)
		}
		_ = p.Close()
	}
}

// Maps returns the ids of all BPF maps of the kernel with this name.
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
			tb.Fatalf("get information about map %d: %v", id, err)
		}
		if info.Name == name {
			ids = append(ids, id)
		}
		_ = m.Close()
	}
}
