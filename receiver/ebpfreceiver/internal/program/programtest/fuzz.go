// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package programtest

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

// FuzzAppendLog gives a program arbitrary records: the seeds, those in testdata/records, and the same shortened and
// lengthened. An accepted record must be of an event in sizes and have at least that many bytes, and its log record must
// be sound. A refused record must leave no log record.
func FuzzAppendLog[E ~uint32](f *testing.F, host *program.Host, p program.Program, sizes map[E]uintptr, seeds ...[]byte) {
	f.Helper()
	for _, record := range Recorded(f) {
		seeds = append(seeds, record)
	}
	for _, seed := range append(seeds, nil) {
		f.Add(seed)
		f.Add(append(slices.Clone(seed), make([]byte, 40)...))
		f.Add(seed[:len(seed)/2])
	}
	b := NewBatch(host, true)
	f.Fuzz(func(t *testing.T, raw []byte) {
		raw = slices.Clone(raw) // aligned, as in the ring
		if len(raw) > 0 {
			raw[0] = Number // the loader passes no other program's records
		}
		err := p.AppendLog(b, raw)
		logs := b.Flush().Logs
		if err != nil {
			require.Zero(t, logs.LogRecordCount(), "a log record despite the error: %v", err)
			return
		}
		require.GreaterOrEqual(t, len(raw), 2, "a record this short has no event")
		size, known := sizes[E(raw[1])]
		require.True(t, known, "unknown event %d was accepted", raw[1])
		require.GreaterOrEqual(t, len(raw), int(size), "too few bytes were accepted for event %d", raw[1])
		AssertSound(t, logs)
	})
}
