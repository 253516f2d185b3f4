// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package runqueue is the BPF side of the program `runqueue`, compiled, with the Go types of its records and maps. It is for the
// receiver's package runqueue alone, and may change with every version.
package runqueue

//go:generate bpf2go -target amd64,arm64 -go-package runqueue -type event -type event_id -type series -type histogram Runqueue runqueue.bpf.c
