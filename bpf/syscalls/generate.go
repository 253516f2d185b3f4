// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package syscalls is the BPF side of the program `syscall`, compiled, with the Go types of its records and maps. It is for the
// receiver's package syscalls alone, and may change with every version.
package syscalls

//go:generate bpf2go -target amd64,arm64 -go-package syscalls -type event -type event_id -type call_limits -type call_kind -type series -type counts Syscall syscall.bpf.c
