// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package kernel

import "net/netip"

// NetworkNamespace returns 0: its callers run on Linux only.
func NetworkNamespace() uint32 { return 0 }

// TracksConnections returns false: its callers run on Linux only.
func TracksConnections() bool { return false }

// Translated is not supported: its callers run on Linux only.
func Translated(uint32, uint32, uint8, netip.AddrPort, netip.AddrPort) (netip.AddrPort, bool, error) {
	return netip.AddrPort{}, false, nil
}
