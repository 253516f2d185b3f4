// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/syscalls"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

// Records that a kernel wrote earlier.
func TestRecordedGolden(t *testing.T) {
	host := programtest.Host(t)
	p, b := newProgram(defaultConfig(), host), programtest.NewBatch(host, true)
	record := programtest.Recorded(t)["slow"]
	e, ok := common.View[bpf.SyscallEvent](record)
	require.True(t, ok)
	e.Call = uint32(numberOf(t, "clock_nanosleep")) // the number depends on the architecture
	require.NoError(t, p.AppendLog(b, record))
	logs := b.Flush().Logs
	programtest.AssertSound(t, logs)
	programtest.CompareLogs(t, "recorded.yaml", logs)
}
