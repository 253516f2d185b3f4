// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package slotstest is the BPF side of the test of slots.h, which is in the receiver's package program. No program uses it.
package slotstest

//go:generate bpf2go -target amd64,arm64 -go-package slotstest -type place -type entry Slots slots.bpf.c
