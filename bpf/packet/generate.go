// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package packet is the BPF side of the program `packet`, compiled, with the Go types of its records and maps. It is for the
// receiver's package packet alone, and may change with every version.
package packet

//go:generate bpf2go -target amd64,arm64 -go-package packet -type event -type event_id -type trait -type frame -type series -type counts -type interface Packet packet.bpf.c
