// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package cgroup is the BPF side of the program `cgroup`, compiled, with the Go types of its records and maps. It is for the
// receiver's package cgroup alone, and may change with every version.
package cgroup

//go:generate bpf2go -target amd64,arm64 -go-package cgroup -type event -type event_id Cgroup cgroup.bpf.c
