// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package filedescriptor is the BPF side of the program `file_descriptor`, compiled, with the Go types of its maps. It is for the
// receiver's package filedescriptor alone, and may change with every version.
package filedescriptor

//go:generate bpf2go -target amd64,arm64 -go-package filedescriptor -type kind -type operation -type table -type scan -type series -type counts FileDescriptor file_descriptor.bpf.c
