// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package common is what the BPF side of all programs has in common: the header of their records, owners of sockets, the
// maps and variables that they share. It is for the receiver alone, and may change with every version.
package common

//go:generate bpf2go -target amd64,arm64 -go-package common -type record -type owner -type address -type flow -type cidr -type executable -type ports -type losses -type sequence -type listening -type listening_fate -type loss_cause -type attribution -type role Common common.bpf.c
