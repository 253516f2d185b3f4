// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package process is the BPF side of the program `process`, compiled, with the Go types of its records and maps. It is for the
// receiver's package process alone, and may change with every version.
package process

//go:generate bpf2go -target amd64,arm64 -go-package process -type event -type exec_event -type arguments -type event_id -type outcome -type series -type counts Process process.bpf.c
