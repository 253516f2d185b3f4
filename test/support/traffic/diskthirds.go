// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package traffic

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// iocb is the kernel's struct iocb of a read on little-endian machines.
type iocb struct {
	_      [5]uint32
	file   uint32
	buffer uint64
	size   uint64
	offset int64
	_      [2]uint64
}

// readThirds reads the first, the last and then the middle third of the data, in one call. The kernel gets two separate
// requests, which become adjacent with the third one: it extends a request only by data that directly precedes or follows it.
func readThirds(disk *os.File, data []byte, offset int64) error {
	const count = 3
	var context uintptr
	if _, _, errno := unix.Syscall(unix.SYS_IO_SETUP, count, uintptr(unsafe.Pointer(&context)), 0); errno != 0 {
		return fmt.Errorf("set up asynchronous reads: %w", errno)
	}
	defer func() { _, _, _ = unix.Syscall(unix.SYS_IO_DESTROY, context, 0, 0) }()
	size := len(data) / count
	var reads [count]*iocb
	for i, part := range [count]int{0, 2, 1} {
		reads[i] = &iocb{
			file: uint32(disk.Fd()), buffer: uint64(uintptr(unsafe.Pointer(&data[part*size]))), size: uint64(size),
			offset: offset + int64(part*size),
		}
	}
	if n, _, errno := unix.Syscall(unix.SYS_IO_SUBMIT, context, count, uintptr(unsafe.Pointer(&reads))); errno != 0 {
		return fmt.Errorf("submit reads: %w", errno)
	} else if n != count {
		return fmt.Errorf("%d of %d reads were submitted", n, count)
	}
	var done [count]struct {
		data, read       uint64
		result, resultV2 int64
	}
	if n, _, errno := unix.Syscall6(unix.SYS_IO_GETEVENTS, context, count, count, uintptr(unsafe.Pointer(&done)), 0, 0); errno != 0 {
		return fmt.Errorf("wait for reads: %w", errno)
	} else if n != count {
		return fmt.Errorf("%d of %d reads completed", n, count)
	}
	for _, d := range done {
		if d.result != int64(size) {
			return fmt.Errorf("a read of %d bytes returned %d", size, d.result)
		}
	}
	return nil
}
