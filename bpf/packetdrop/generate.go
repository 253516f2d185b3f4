// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package packetdrop is the BPF side of the program `packet_drop`, compiled, with the Go types of its records and maps. It is for the
// receiver's package packetdrop alone, and may change with every version.
package packetdrop

//go:generate bpf2go -target amd64,arm64 -go-package packetdrop -type event -type event_id -type series -type counts -type judgement -type code_kind PacketDrop packet_drop.bpf.c
