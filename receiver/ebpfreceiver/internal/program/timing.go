// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
)

// timing measures how long the functions of programs run in the kernel, while it is on. The kernel's own statistics would do the
// same, but only CAP_SYS_ADMIN may switch them on, and they measure the programs of others, too.
//
// A function that is measured has additional instructions at its begin, and in place of each exit. They need no stack, of which
// some functions leave nothing. While timing is off, they cost a few nanoseconds.
type timing struct {
	// on has one value, which is not 0 while timing is on.
	on *ebpf.Map
	// times has one value, which is a block of numbers for each CPU: when each function has begun, 0 if it does not run or is not
	// measured, and then how long the functions of each program have run.
	times *ebpf.Map
	// cpus is the number of blocks, a power of two.
	cpus int
	// functions are numbered by their place.
	functions []timed
}

// timed is a function that is measured.
type timed struct {
	program uint32
	name    string
}

const (
	// maxTimed is how many functions can be measured. blockShift is the logarithm of the size of a block in bytes.
	maxTimed   = 224
	blockShift = 11
	blockSize  = 8 * (maxTimed + common.MaxPrograms)
	_          = uint(blockSize-1<<blockShift) + uint(1<<blockShift-blockSize) // they are equal
)

func newTiming() (_ *timing, err error) {
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return nil, fmt.Errorf("count the CPUs: %w", err)
	}
	t := &timing{cpus: 1 << bits.Len(uint(cpus-1))}
	if t.on, err = ebpf.NewMap(&ebpf.MapSpec{Name: "ebpf_timing", Type: ebpf.Array, KeySize: 4, ValueSize: 4, MaxEntries: 1}); err != nil {
		return nil, fmt.Errorf("create map ebpf_timing: %w", err)
	}
	t.times, err = ebpf.NewMap(&ebpf.MapSpec{
		Name: "ebpf_times", Type: ebpf.Array, KeySize: 4, ValueSize: uint32(t.cpus * blockSize), MaxEntries: 1,
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("create map ebpf_times: %w", err), t.close())
	}
	return t, nil
}

func (t *timing) close() error {
	if t == nil {
		return nil
	}
	return errors.Join(t.on.Close(), t.times.Close())
}

// set switches the measurement on or off.
func (t *timing) set(on bool) error {
	value := uint32(0)
	if on {
		value = 1
	}
	if err := t.on.Put(uint32(0), value); err != nil {
		return fmt.Errorf("write map ebpf_timing: %w", err)
	}
	return nil
}

// runTimes returns how long the functions of each program have run while the measurement was on, by the program's number.
func (t *timing) runTimes() (all [common.MaxPrograms]time.Duration, err error) {
	times := make([]byte, t.cpus*blockSize)
	if err := t.times.Lookup(uint32(0), &times); err != nil {
		return all, fmt.Errorf("read map ebpf_times: %w", err)
	}
	for block := range slices.Chunk(times, blockSize) {
		for number := range all {
			all[number] += time.Duration(binary.NativeEndian.Uint64(block[8*(maxTimed+number):]))
		}
	}
	return all, nil
}

// measured returns a specification of the function with its measurement, under the number of its program.
func (t *timing) measured(function *ebpf.ProgramSpec, program uint32) (*ebpf.ProgramSpec, error) {
	number := slices.Index(t.functions, timed{program, function.Name})
	if number < 0 {
		number = len(t.functions)
		t.functions = append(t.functions, timed{program, function.Name})
	}
	if number >= maxTimed {
		return nil, fmt.Errorf("more than %d functions cannot be measured", maxTimed)
	}
	function = function.Copy()
	code := function.Instructions
	// The functions that this one calls follow it.
	end := 1 + slices.IndexFunc(code[1:], func(ins asm.Instruction) bool { return ins.Symbol() != "" })
	if end == 0 {
		end = len(code)
	}
	for i := range code[:end] {
		if code[i].OpCode.JumpOp() == asm.Exit {
			jump := asm.Ja.Label(labelEnd)
			jump.Metadata = code[i].Metadata
			code[i] = jump.WithReference(labelEnd)
		}
	}
	begin := t.begin(number)
	// What the first instruction says of the function belongs to the new first instruction.
	begin[0] = btf.WithFuncMetadata(begin[0].WithSymbol(code[0].Symbol()).WithSource(code[0].Source()), btf.FuncMetadata(&code[0]))
	code[0] = btf.WithFuncMetadata(code[0].WithSymbol(labelBegin), nil)
	function.Instructions = slices.Concat(begin, code[:end], t.end(number, program), code[end:])
	return function, nil
}

const labelBegin, labelEnd, labelExit = "timing_begin", "timing_end", "timing_exit"

// begin returns what notes the time at the begin of a function. It leaves the argument as it is.
func (t *timing) begin(function int) asm.Instructions {
	const argument, now = asm.R6, asm.R7
	return slices.Concat(asm.Instructions{
		asm.Mov.Reg(argument, asm.R1),
		asm.LoadMapValue(asm.R2, t.on.FD(), 0),
		asm.LoadMem(asm.R2, asm.R2, 0, asm.Word),
		asm.JEq.Imm(asm.R2, 0, labelBegin),
		asm.FnKtimeGetNs.Call(),
		asm.Mov.Reg(now, asm.R0),
	}, t.block(asm.R2), asm.Instructions{
		asm.StoreMem(asm.R2, int16(8*function), now, asm.DWord),
		asm.Mov.Reg(asm.R1, argument),
	})
}

// end returns what adds up the time at the end of a function, and exits.
func (t *timing) end(function int, program uint32) asm.Instructions {
	const result, block, begun = asm.R6, asm.R7, asm.R8
	first := asm.Mov.Reg(result, asm.R0).WithSymbol(labelEnd)
	return slices.Concat(asm.Instructions{first}, t.block(block), asm.Instructions{
		asm.LoadMem(begun, block, int16(8*function), asm.DWord),
		asm.JEq.Imm(begun, 0, labelExit),
		asm.Mov.Imm(asm.R1, 0),
		asm.StoreMem(block, int16(8*function), asm.R1, asm.DWord),
		asm.FnKtimeGetNs.Call(),
		asm.Sub.Reg(asm.R0, begun),
		asm.Add.Imm(block, int32(8*(maxTimed+program))),
		asm.StoreXAdd(block, asm.R0, asm.DWord), // an interrupt may run another function of the program
		asm.Mov.Reg(asm.R0, result).WithSymbol(labelExit),
		asm.Return(),
	})
}

// block returns what puts the address of this CPU's block into a register.
func (t *timing) block(into asm.Register) asm.Instructions {
	return asm.Instructions{
		asm.FnGetSmpProcessorId.Call(),
		asm.And.Imm(asm.R0, int32(t.cpus-1)),
		asm.LSh.Imm(asm.R0, blockShift),
		asm.LoadMapValue(into, t.times.FD(), 0),
		asm.Add.Reg(into, asm.R0),
	}
}
