// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/tools/vmtest/internal/results"
)

// maySkip are the tests that may skip because a kernel lacks a feature, with the kernel lines that lack it. A skip of any
// other test, or on another kernel, is a failure: it would hide a missing check.
var maySkip = map[string][]string{
	"TestConnectionOfMPTCPCountsOnce":                {"5.10"},                // Debian built it without MPTCP
	"TestConnectionSubflows":                         {"5.10"},                // the same
	"TestConnectionsOfListenersOlderThanTheReceiver": {"5.10"},                // the same
	"TestConnectionUnixByRing":                       {"5.10", "6.1"},         // requests of io_uring are visible since 6.3
	"TestPacketDropOfSegments":                       {"5.10"},                // no drop reasons; frees segments without a tracepoint
	"TestPacketDropAtClosedWindow":                   {"5.10"},                // the same
	"TestConnectionUDPFailed":                        {"5.10", "6.1", "6.12"}, // BPF has no task work
	"TestFileDeletionsByRing":                        {"5.10", "6.1"},         // io_uring deletes since 5.11, its requests are visible since 6.3
}

// hides reports whether a test was skipped although the kernel has what the test needs.
func (out *outcome) hides(t results.Test) bool {
	return t.Status == results.Skipped && !slices.Contains(maySkip[t.Top()], out.line.series)
}
