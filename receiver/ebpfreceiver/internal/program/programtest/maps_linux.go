// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package programtest

import (
	"testing"

	"github.com/cilium/ebpf"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel/kerneltest"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

// Maps creates some maps of a program's object in this kernel, without loading the object, and gives them to the program.
func Maps(t testing.TB, p program.Program, names ...string) map[string]*ebpf.Map {
	t.Helper()
	kerneltest.Require(t)
	spec, err := p.Spec()
	require.NoError(t, err)
	maps := map[string]*ebpf.Map{}
	for _, name := range names {
		require.Contains(t, spec.Maps, name)
		maps[name], err = ebpf.NewMap(spec.Maps[name])
		require.NoError(t, err)
		t.Cleanup(func() { _ = maps[name].Close() })
	}
	require.NoError(t, p.Loaded(maps))
	return maps
}

// PutPerCPU writes an entry of a per-CPU map: the values of the first and of the last CPU.
func PutPerCPU[V any](t testing.TB, m *ebpf.Map, key any, first, last V) {
	t.Helper()
	cpus, err := ebpf.PossibleCPU()
	require.NoError(t, err)
	require.Greater(t, cpus, 1, "the sums of one CPU say nothing")
	values := make([]V, cpus)
	values[0], values[cpus-1] = first, last
	require.NoError(t, m.Put(key, values))
}
