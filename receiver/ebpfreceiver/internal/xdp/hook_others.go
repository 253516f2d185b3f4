// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package xdp

import "github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"

// Hook exists on Linux only.
func Hook(_ string, _ *program.Host, _ Interfaces) program.Hook { return program.Hook{} }
