// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package oom is the BPF side of the program `oom`, compiled, with the Go types of its records and maps. It is for the
// receiver's package oom alone, and may change with every version.
package oom

//go:generate bpf2go -target amd64,arm64 -go-package oom -type event -type event_id -type series -type counts Oom oom.bpf.c
