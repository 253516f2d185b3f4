// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package file is the BPF side of the program `file`, compiled, with the Go types of its records and maps. It is for the
// receiver's package file alone, and may change with every version.
package file

//go:generate bpf2go -target amd64,arm64 -go-package file -type event -type event_id -type operation -type prefix -type series -type counts File file.bpf.c
