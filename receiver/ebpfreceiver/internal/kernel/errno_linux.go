// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package kernel

import "golang.org/x/sys/unix"

// errnoSymbol returns the symbol of an errno, as in "ECONNREFUSED", or "".
func errnoSymbol(errno int) string { return unix.ErrnoName(unix.Errno(errno)) }
