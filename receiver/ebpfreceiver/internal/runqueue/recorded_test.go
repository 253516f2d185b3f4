// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package runqueue

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

// Bytes that a kernel has written once, in the order of their names.
func TestRecordedGolden(t *testing.T) {
	host := programtest.Host(t)
	p, b := newProgram(defaultConfig(), host), programtest.NewBatch(host, true)
	records := programtest.Recorded(t)
	for _, name := range slices.Sorted(maps.Keys(records)) {
		require.NoError(t, p.AppendLog(b, records[name]), name)
	}
	logs := b.Seal().Logs
	programtest.AssertSound(t, logs)
	programtest.CompareLogs(t, "recorded.yaml", logs)
}
