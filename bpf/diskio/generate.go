// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package diskio is the BPF side of the program `disk_io`, compiled, with the Go types of its records and maps. It is for the
// receiver's package diskio alone, and may change with every version.
package diskio

//go:generate bpf2go -target amd64,arm64 -go-package diskio -type event -type event_id -type series -type counts -type histogram DiskIO disk_io.bpf.c
