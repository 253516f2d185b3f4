// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package socket is the BPF side of the program `socket`, compiled, with the Go types of its records and maps. It is for the
// receiver's package socket alone, and may change with every version.
package socket

//go:generate bpf2go -target amd64,arm64 -go-package socket Socket socket.bpf.c
