// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ring

import (
	"encoding/binary"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel/kerneltest"
)

// maxRecord is the size of the longest record that a feeder writes, in bytes.
const maxRecord = 255

// feeder is a ring buffer in this kernel, with BPF programs that write to it.
type feeder struct {
	ring           *ebpf.Map
	write, discard *ebpf.Program
}

// record is the context of a feeder's programs.
type record struct {
	// Value is the content, repeated.
	Value uint64
	// Size is the size in bytes, at most maxRecord.
	Size uint64
}

func newFeeder(t testing.TB, size uint32) *feeder {
	t.Helper()
	kerneltest.Require(t)
	ring, err := ebpf.NewMap(&ebpf.MapSpec{Name: "ring_test", Type: ebpf.RingBuf, MaxEntries: size})
	require.NoError(t, err)
	t.Cleanup(func() { _ = ring.Close() })
	return &feeder{ring: ring, write: newProgram(t, writeRecord(ring)), discard: newProgram(t, discardRecord(ring))}
}

func newProgram(t testing.TB, instructions asm.Instructions) *ebpf.Program {
	t.Helper()
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.RawTracepoint, License: "Dual BSD/GPL", Instructions: instructions})
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// writeRecord fills the stack with the value, and writes the given number of bytes from it.
func writeRecord(ring *ebpf.Map) asm.Instructions {
	const top = maxRecord + 1
	instructions := asm.Instructions{asm.LoadMem(asm.R6, asm.R1, 0, asm.DWord)}
	for offset := int16(-top); offset < 0; offset += 8 {
		instructions = append(instructions, asm.StoreMem(asm.RFP, offset, asm.R6, asm.DWord))
	}
	return append(instructions,
		asm.LoadMem(asm.R3, asm.R1, 8, asm.DWord),
		asm.And.Imm(asm.R3, maxRecord),
		asm.LoadMapPtr(asm.R1, ring.FD()),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, -top),
		asm.Mov.Imm(asm.R4, 0),
		asm.FnRingbufOutput.Call(),
		asm.Return(),
	)
}

// discardRecord reserves 24 bytes and discards them.
func discardRecord(ring *ebpf.Map) asm.Instructions {
	return asm.Instructions{
		asm.LoadMapPtr(asm.R1, ring.FD()),
		asm.Mov.Imm(asm.R2, 24),
		asm.Mov.Imm(asm.R3, 0),
		asm.FnRingbufReserve.Call(),
		asm.JEq.Imm(asm.R0, 0, "full"),
		asm.Mov.Reg(asm.R1, asm.R0),
		asm.Mov.Imm(asm.R2, 0),
		asm.FnRingbufDiscard.Call(),
		asm.Mov.Imm(asm.R0, 0),
		asm.Return(),
		asm.Mov.Imm(asm.R0, -1).WithSymbol("full"),
		asm.Return(),
	}
}

// put writes a record. It returns false if the ring is full.
func (f *feeder) put(t testing.TB, r record) bool { return run(t, f.write, r) == 0 }

// skip reserves and discards a record. It returns false if the ring is full.
func (f *feeder) skip(t testing.TB) bool { return run(t, f.discard, record{}) == 0 }

func run(t testing.TB, p *ebpf.Program, context record) int32 {
	t.Helper()
	result, err := p.Run(&ebpf.RunOptions{Context: context})
	assert.NoError(t, err)
	return int32(result)
}

// bytes returns the expected bytes of a record.
func (r record) bytes() []byte {
	var b []byte
	for len(b) < int(r.Size) {
		b = binary.NativeEndian.AppendUint64(b, r.Value)
	}
	return b[:r.Size]
}
