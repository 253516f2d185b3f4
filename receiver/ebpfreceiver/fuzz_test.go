// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

// Each program turns any bytes in the ring into a sound log record, or returns an error and appends nothing. The seeds are
// records that a kernel wrote for any program: for the other programs they are garbage.
func FuzzAppendLog(f *testing.F) {
	files, err := filepath.Glob("internal/programs/*/testdata/records/*.bin")
	require.NoError(f, err)
	require.NotEmpty(f, files)
	for _, file := range files {
		record, err := os.ReadFile(file)
		require.NoError(f, err)
		f.Add(record)
		f.Add(record[:len(record)-1])                            // cut off
		f.Add(record[:common.RecordSize])                        // nothing but the header
		f.Add(append(slices.Clone(record), make([]byte, 64)...)) // longer than known
		f.Add(append([]byte{record[0], 200}, record[2:]...))     // an unknown event
	}
	f.Add(make([]byte, common.RecordSize))

	host := programtest.Host(f)
	running := map[string]program.Program{}
	add := func(d *program.Definition) { running[d.Name] = d.New(d.DefaultConfig(), host) }
	for i := range programs {
		add(&programs[i])
		for _, need := range programs[i].Needs {
			add(need)
		}
	}
	b := programtest.NewBatch(host, true)
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) < common.RecordSize {
			return // records without a header are refused earlier
		}
		raw = slices.Clone(raw) // aligned, as it is in the ring
		raw[0] %= uint8(common.MaxPrograms)
		before := slices.Clone(raw)
		for name, p := range running {
			err := p.AppendLog(b, raw)
			require.Equal(t, before, raw, "%s writes to the ring", name)
			payload := b.Flush()
			require.Equal(t, payload.Count, payload.Logs.LogRecordCount(), name)
			if err != nil {
				require.Zero(t, payload.Count, "%s: log records despite the error: %v", name, err)
				require.Zero(t, payload.ByProgram, name)
				continue
			}
			require.Equal(t, payload.Count, payload.ByProgram[raw[0]], "%s: counted for the program that wrote it", name)
			programtest.AssertSound(t, payload.Logs)
		}
	})
}
