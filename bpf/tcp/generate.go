// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package tcp is the BPF side of the program `tcp`, compiled, with the Go types of its records and maps. It is for the
// receiver's package tcp alone, and may change with every version.
package tcp

//go:generate bpf2go -target amd64,arm64 -go-package tcp -type event -type event_id -type retransmit -type series -type peer_series -type counts -type histogram TCP tcp.bpf.c
