// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package programtest

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

// Bytes returns the bytes of a record in the ring.
func Bytes[T any](record *T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(record)), unsafe.Sizeof(*record))
}

// Recorded returns the records of kernels in testdata/records, by their names.
func Recorded(t testing.TB) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("testdata/records/*.bin")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	records := map[string][]byte{}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		records[strings.TrimSuffix(filepath.Base(file), ".bin")] = raw
	}
	return records
}

// CompareRecords checks that records of this kernel, by their names, have the kinds of those in testdata/records.
func CompareRecords(t *testing.T, live map[string][]byte) {
	t.Helper()
	if *update {
		require.NoError(t, os.MkdirAll("testdata/records", 0o750))
		for name, raw := range live {
			require.NoError(t, os.WriteFile(filepath.Join("testdata/records", name+".bin"), raw, 0o600))
		}
		t.Error("testdata/records was rewritten; run without -update now")
	}
	recorded := Recorded(t)
	for name, raw := range recorded {
		require.Contains(t, live, name)
		require.Len(t, live[name], len(raw), name)
		want, _ := common.View[common.Record](raw)
		got, _ := common.View[common.Record](live[name])
		require.Equal(t, want.Event, got.Event, name)
	}
	require.Len(t, live, len(recorded))
}

// CompareRecorded compares the logs made from recorded records, in the order of the records' names, with
// testdata/recorded.yaml.
func CompareRecorded(t *testing.T, host *program.Host, p program.Program) {
	t.Helper()
	b, records := NewBatch(host, true), Recorded(t)
	for _, name := range slices.Sorted(maps.Keys(records)) {
		require.NoError(t, p.AppendLog(b, records[name]), name)
	}
	logs := b.Flush().Logs
	AssertSound(t, logs)
	CompareLogs(t, "recorded.yaml", logs)
}
