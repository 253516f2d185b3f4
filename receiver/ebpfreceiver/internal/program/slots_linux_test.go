// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program

import (
	"errors"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/include/slotstest"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel/kerneltest"
)

// slots is the table in the kernel.
type slots struct {
	slotstest.SlotsPrograms
	slotstest.SlotsMaps
	t *testing.T
}

func newSlots(t *testing.T) *slots {
	t.Helper()
	kerneltest.Require(t)
	s := &slots{t: t}
	spec, err := slotstest.LoadSlots()
	require.NoError(t, err)
	// The library maps variables until they are collected as garbage, which later tests would take for a leak.
	spec.Variables = nil
	require.NoError(t, spec.LoadAndAssign(&struct {
		*slotstest.SlotsPrograms
		*slotstest.SlotsMaps
	}{&s.SlotsPrograms, &s.SlotsMaps}, nil))
	t.Cleanup(func() { require.NoError(t, errors.Join(s.SlotsPrograms.Close(), s.SlotsMaps.Close())) })
	return s
}

// run calls a function of the BPF side.
func (s *slots) run(p *ebpf.Program, arguments ...uint64) uint32 {
	s.t.Helper()
	result, err := p.Run(&ebpf.RunOptions{Context: append(arguments, make([]uint64, 2-len(arguments))...)})
	require.NoError(s.t, err)
	return result
}

func (s *slots) put(key, value uint64) slotstest.SlotsPlace {
	return slotstest.SlotsPlace(s.run(s.TestPut, key, value))
}

func (s *slots) find(key uint64) slotstest.SlotsPlace {
	return slotstest.SlotsPlace(s.run(s.TestFind, key))
}

// entry returns the slot of a key as it is in the map.
func (s *slots) entry(key uint64) (e slotstest.SlotsEntry) {
	s.t.Helper()
	require.NoError(s.t, s.TestSlots.Lookup(uint32(key%4), &e))
	return e
}

// If two keys share a slot, the second one uses the fallback. Both are found. A freed slot can be used again.
func TestTwoKeysOfOneSlot(t *testing.T) {
	s := newSlots(t)
	const first, second, third = 5, 9, 13
	require.Equal(t, slotstest.SlotsPlacePLACE_SLOT, s.put(first, 50))
	require.Equal(t, slotstest.SlotsPlacePLACE_FALLBACK, s.put(second, 90))
	assert.Equal(t, slotstest.SlotsPlacePLACE_SLOT, s.find(first))
	assert.Equal(t, slotstest.SlotsPlacePLACE_FALLBACK, s.find(second))
	assert.Equal(t, slotstest.SlotsPlacePLACE_NOWHERE, s.find(third))
	assert.EqualValues(t, 50, s.entry(first).Values[0], "the second key has not changed the first one's values")
	assert.EqualValues(t, 1, s.entry(first).Slot.Claims, "the second key has no claim")

	s.run(s.TestFree, first)
	assert.Equal(t, slotstest.SlotsPlacePLACE_NOWHERE, s.find(first))
	assert.Equal(t, slotstest.SlotsPlacePLACE_FALLBACK, s.find(second), "it stays where it is")
	require.Equal(t, slotstest.SlotsPlacePLACE_SLOT, s.put(third, 130))
	assert.Equal(t, slotstest.SlotsPlacePLACE_SLOT, s.find(third))
	assert.EqualValues(t, 130, s.entry(third).Values[0])

	s.run(s.TestFree, second)
	s.run(s.TestFree, third)
	assert.Zero(t, s.entry(third).Slot, "the slot must be empty")
	assert.Equal(t, slotstest.SlotsPlacePLACE_NOWHERE, s.find(second))
	s.run(s.TestFree, third)
	assert.Zero(t, s.entry(third).Slot, "freeing a missing key has no effect")
}

// A claimed slot is not found by lookups until it is published.
func TestClaimedSlotIsNotFound(t *testing.T) {
	s := newSlots(t)
	const first, second = 6, 10
	require.EqualValues(t, 1, s.run(s.TestClaim, first))
	assert.EqualValues(t, 0, s.run(s.TestClaim, second), "it is taken")
	assert.EqualValues(t, 1, s.entry(first).Slot.Claims, "the loser has no claim")
	assert.Equal(t, slotstest.SlotsPlacePLACE_NOWHERE, s.find(first))
	assert.Zero(t, s.entry(first).Slot.Key)

	s.run(s.TestPublish, first, 60)
	assert.Equal(t, slotstest.SlotsPlacePLACE_SLOT, s.find(first))
	assert.EqualValues(t, 60, s.entry(first).Values[7])
	assert.Equal(t, slotstest.SlotsPlacePLACE_NOWHERE, s.find(second))
}

// A retired slot is found until another key claims it, and not while that key fills it.
func TestRetiredSlot(t *testing.T) {
	s := newSlots(t)
	const first, second = 7, 11
	require.Equal(t, slotstest.SlotsPlacePLACE_SLOT, s.put(first, 70))
	s.run(s.TestRetire, first)
	assert.Equal(t, slotstest.SlotsPlacePLACE_SLOT, s.find(first))
	assert.EqualValues(t, 70, s.entry(first).Values[0])

	require.EqualValues(t, 1, s.run(s.TestClaim, second))
	assert.Equal(t, slotstest.SlotsPlacePLACE_NOWHERE, s.find(first))
	s.run(s.TestPublish, second, 110)
	assert.Equal(t, slotstest.SlotsPlacePLACE_SLOT, s.find(second))
	assert.Equal(t, slotstest.SlotsPlacePLACE_NOWHERE, s.find(first))
}

// A word has the tag and the value of one object. A free word has no tag.
func TestWords(t *testing.T) {
	s := newSlots(t)
	assert.EqualValues(t, 0, s.run(s.TestHoldsWord, 1), "it is free")
	const largest = 511
	s.run(s.TestPutWord, largest, 1<<54|7)
	assert.EqualValues(t, 1, s.run(s.TestHoldsWord, largest))
	assert.EqualValues(t, 0, s.run(s.TestHoldsWord, largest-1))
	var word uint64
	require.NoError(t, s.TestWord.Lookup(uint32(0), &word))
	assert.EqualValues(t, 1<<54|7, word&(1<<55-1))

	s.run(s.TestPutWord, 3, 1<<63|9)
	assert.EqualValues(t, 1, s.run(s.TestHoldsWord, 3), "the upper bits of a value do not change the tag")
	require.NoError(t, s.TestWord.Lookup(uint32(0), &word))
	assert.EqualValues(t, 9, word&(1<<55-1))
}
