// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package connection is the BPF side of the program `connection`, compiled, with the Go types of its records and maps. It is for the
// receiver's package connection alone, and may change with every version.
package connection

//go:generate bpf2go -target amd64,arm64 -go-package connection -type event -type event_id -type unix_event -type series -type peer_series -type counts -type histogram -type holder -type wanted -type udp_peer -type failure -type cause -type open_bytes -type byte_counts -type scan Connection connection.bpf.c
