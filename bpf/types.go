// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"net/netip"
	"unsafe"
)

// What every program shares has the same layout in each of their generated types, which convert into these.
type (
	// Record is what every record in the ring buffer begins with.
	Record = SocketRecord
	// Owner is a process as the kernel half saw it; Pid 0 is no process.
	Owner = SocketOwner
)

// RecordSize is the size of Record in bytes.
const RecordSize = int(unsafe.Sizeof(Record{}))

// ProgramMax is one more than the highest program number in a Record.
const ProgramMax = int(SocketProgramIdPROGRAM_MAX)

// View returns the record in raw as a T without copying it; ok is false when raw is too short for one.
// T has no pointers, and raw is aligned to 8 bytes, as records in the ring buffer are.
func View[T any](raw []byte) (record *T, ok bool) {
	var zero T
	if len(raw) < int(unsafe.Sizeof(zero)) {
		return nil, false
	}
	return (*T)(unsafe.Pointer(unsafe.SliceData(raw))), true
}

// Text returns the bytes of s before its first zero byte, without copying them.
func Text(s []int8) []byte {
	b := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s))
	for i, c := range b {
		if c == 0 {
			return b[:i]
		}
	}
	return b
}

// Addr returns an address of the kernel half, which holds IPv4 in its v4-mapped form.
func Addr(octets [16]uint8) netip.Addr {
	return netip.AddrFrom16(octets).Unmap()
}
