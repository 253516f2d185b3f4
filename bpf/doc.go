// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package bpf is the BPF side: a folder for each program, with its C source, the compiled objects, and the Go types that
// bpf2go made of them. include has the headers, common what all programs share. The tests here check all objects.
package bpf
