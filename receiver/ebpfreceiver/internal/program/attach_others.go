// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package program

import (
	"errors"
	"io"

	"github.com/cilium/ebpf"
)

// Tracepoint is a hook of Linux.
func Tracepoint(_, _ string) Hook { return Hook{} }

// ExactTracepoint is a hook of Linux.
func ExactTracepoint(_, _, _ string) Hook { return Hook{} }

// Cgroup is a hook of Linux.
func Cgroup(_, _, _ string, _ ebpf.AttachType) Hook { return Hook{} }

// CgroupPackets is a hook of Linux.
func CgroupPackets(_, _, _ string, _ ebpf.AttachType) Hook { return Hook{} }

// Syscall is a hook of Linux.
func Syscall(_, _ string) Hook { return Hook{} }

// Iterator is a hook of Linux.
func Iterator(_, _ string) Hook { return Hook{} }

// Trampoline is a hook of Linux.
func Trampoline(...Place) Hook { return Hook{} }

// Reader is a hook of Linux.
func Reader(_, _ string) Hook { return Hook{} }

// MapReader is a hook of Linux.
func MapReader(_, _ string, _ func() *ebpf.Map) Hook { return Hook{} }

// Iter is a hook of Linux.
type Iter struct{ io.Closer }

// Open reads nothing.
func (*Iter) Open() (io.ReadCloser, error) { return nil, errors.ErrUnsupported }
