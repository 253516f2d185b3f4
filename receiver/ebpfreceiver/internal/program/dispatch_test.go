// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
)

// Dispatch passes any record unchanged to the program in its header exactly once, or returns an error.
func FuzzDispatch(f *testing.F) {
	for _, size := range []int{0, 1, common.RecordSize - 1, common.RecordSize, common.RecordSize + 64} {
		for _, number := range []byte{0, 1, 2, 3, byte(common.MaxPrograms), 255} {
			record := make([]byte, size)
			if size > 0 {
				record[0] = number
			}
			f.Add(record)
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		raw = slices.Clone(raw) // aligned, as in the ring
		programs := []*fakeProgram{{}, {}}
		set := SetOf(&Host{}, *programs[0].define("one"), *programs[1].define("two"))
		err := set.AppendLog(nil, raw)
		var taken int
		for i, p := range programs {
			for _, appended := range p.appended {
				require.Equal(t, raw, appended)
				require.Equal(t, i+1, int(raw[0]), "record of another program")
				taken++
			}
		}
		if err != nil {
			require.Zero(t, taken, "accepted despite the error: %v", err)
			return
		}
		require.GreaterOrEqual(t, len(raw), common.RecordSize)
		require.Equal(t, 1, taken)
	})
}
