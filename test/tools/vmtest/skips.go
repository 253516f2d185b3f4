// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/tools/vmtest/internal/results"
)

// maySkip are the tests that a kernel may have nothing for, by name, with the lines of kernels that have not. A skip of
// any other test, or on another kernel, hides something, and is a failure.
var maySkip = map[string][]string{
	"TestConnectionOfMPTCPCountsOnce":                {"5.10"},                // Debian built it without MPTCP
	"TestConnectionSubflows":                         {"5.10"},                // the same
	"TestConnectionUnixByRing":                       {"5.10", "6.1"},         // io_uring shows what it is asked from 6.3 on
	"TestConnectionsOfListenersOlderThanTheReceiver": {"5.10"},                // the same
	"TestPacketDropOfSegments":                       {"5.10"},                // it gives no drop reasons, and frees them unseen
	"TestPacketDropAtClosedWindow":                   {"5.10"},                // the same
	"TestConnectionUDPFailed":                        {"5.10", "6.1", "6.12"}, // no program can wait for the result of a call
	"TestFileDeletionsByRing":                        {"5.10", "6.1"},         // io_uring deletes from 5.11 on, and shows what it is asked from 6.3 on
}

// hides reports whether a test was skipped that the kernel has all for.
func (out *outcome) hides(t results.Test) bool {
	return t.Status == results.Skipped && !slices.Contains(maySkip[t.Top()], out.line.series)
}
