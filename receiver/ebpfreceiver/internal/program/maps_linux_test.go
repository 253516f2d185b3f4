// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program

import (
	"testing"

	"github.com/cilium/ebpf"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel/kerneltest"
)

func newTestMap(t *testing.T, kind ebpf.MapType, entries uint32) *ebpf.Map {
	t.Helper()
	kerneltest.Require(t)
	leavesNothing(t)
	m, err := ebpf.NewMap(&ebpf.MapSpec{Name: "numbers", Type: kind, KeySize: 4, ValueSize: 8, MaxEntries: entries})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m
}

func TestEach(t *testing.T) {
	m := newTestMap(t, ebpf.PerCPUHash, 10)
	got := map[uint32]uint64{}
	sum := func(key *uint32, values []uint64) {
		for _, v := range values {
			got[*key] += v
		}
	}
	require.NoError(t, Each(m, sum))
	assert.Empty(t, got)

	require.NoError(t, m.Put(uint32(1), perCPU[uint64](t, 1, 2)))
	require.NoError(t, m.Put(uint32(7), perCPU[uint64](t, 30, 40)))
	require.NoError(t, PutZero[uint64](m, uint32(9)))
	require.NoError(t, Each(m, sum))
	assert.Equal(t, map[uint32]uint64{1: 3, 7: 70, 9: 0}, got)
}

func TestEachShared(t *testing.T) {
	m := newTestMap(t, ebpf.Hash, 10)
	require.NoError(t, m.Put(uint32(1), uint64(5)))
	require.NoError(t, m.Put(uint32(7), uint64(6)))
	got := map[uint32]uint64{}
	require.NoError(t, EachShared(m, func(key *uint32, value *uint64) { got[*key] = *value }))
	assert.Equal(t, map[uint32]uint64{1: 5, 7: 6}, got)
}

func TestMapErrors(t *testing.T) {
	m := newTestMap(t, ebpf.PerCPUHash, 1)
	require.NoError(t, PutZero[uint64](m, uint32(1)))
	require.ErrorContains(t, PutZero[uint64](m, uint32(2)), "write to map PerCPUHash(numbers)")
	require.NoError(t, m.Close())
	require.ErrorContains(t, Each(m, func(*uint32, []uint64) {}), "read map ")
	require.ErrorContains(t, EachShared(m, func(*uint32, *uint64) {}), "read map ")
}
