// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package signal has the compiled BPF side of the program `signal`, and the Go types of its records and maps.
package signal

//go:generate bpf2go -target amd64,arm64 -go-package signal -type event -type event_id -type series -type counts Signal signal.bpf.c
