// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package dns is the BPF side of the program `dns`, compiled, with the Go types of its records and maps. It is for the
// receiver's package dns alone, and may change with every version.
package dns

//go:generate bpf2go -target amd64,arm64 -go-package dns -type query -type answer -type part -type event_id DNS dns.bpf.c
