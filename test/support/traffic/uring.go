// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package traffic

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Operations of io_uring.
const (
	uringConnect  = 16
	uringOpenat   = 18
	uringRenameat = 35
	uringUnlinkat = 36

	// uringSkipSuccess asks for no completion on success.
	uringSkipSuccess = 1 << 6
)

// uringParams is struct io_uring_params.
type uringParams struct {
	sqEntries, cqEntries, flags, cpu, idle, features, wq uint32
	_                                                    [3]uint32
	sq                                                   struct {
		head, tail, mask, entries, flags, dropped, array, _ uint32
		_                                                   uint64
	}
	cq struct {
		head, tail, mask, entries, overflow, cqes, flags, _ uint32
		_                                                   uint64
	}
}

// uringEntry is struct io_uring_sqe.
type uringEntry struct {
	opcode, flags uint8
	_             uint16
	fd            int32
	address2      uint64
	address       uint64
	length        uint32
	opFlags       uint32
	userData      uint64
	_             [3]uint64
}

// doByRing makes the call with a new io_uring. silently asks for no completion of a successful deletion.
func (c FileCall) doByRing(dir int, silently bool) error {
	path, err := unix.BytePtrFromString(c.Path)
	if err != nil {
		return err
	}
	from, err := unix.BytePtrFromString(c.From)
	if err != nil {
		return err
	}
	// The kernel gets addresses as numbers, which do not keep objects alive or in place.
	var pin runtime.Pinner
	defer pin.Unpin()
	pin.Pin(path)
	pin.Pin(from)
	entry := uringEntry{fd: int32(dir), address: uint64(uintptr(unsafe.Pointer(path))), opFlags: uint32(c.Flags)}
	switch c.Call {
	case "unlinkat":
		entry.opcode = uringUnlinkat
	case "renameat2":
		entry.opcode, entry.fd, entry.length = uringRenameat, unix.AT_FDCWD, uint32(dir)
		entry.address, entry.address2 = uint64(uintptr(unsafe.Pointer(from))), entry.address
	case "openat":
		entry.opcode, entry.length = uringOpenat, 0o600
	default:
		return fmt.Errorf("no operation %s of io_uring is known", c.Call)
	}
	if silently {
		entry.flags = uringSkipSuccess
	}
	result, err := submit(entry, func() bool {
		return silently && unix.Faccessat(dir, c.Path, unix.F_OK, unix.AT_SYMLINK_NOFOLLOW) != nil
	})
	switch {
	case err != nil:
		return err
	case result < 0:
		return unix.Errno(-result)
	case c.Call == "openat":
		return unix.Close(int(result))
	default:
		return nil
	}
}

// submit sets up an io_uring, submits one operation and waits. It returns the operation's result, or 0 if done returns true
// before there is a completion.
func submit(entry uringEntry, done func() bool) (int32, error) {
	var p uringParams
	ring, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, 1, uintptr(unsafe.Pointer(&p)), 0)
	if errno != 0 {
		return 0, fmt.Errorf("io_uring_setup: %w", errno)
	}
	defer func() { _ = unix.Close(int(ring)) }()
	sq, err := mapRing(ring, 0)
	if err != nil {
		return 0, err
	}
	defer func() { _ = unix.Munmap(sq) }()
	cq, err := mapRing(ring, 0x8000000)
	if err != nil {
		return 0, err
	}
	defer func() { _ = unix.Munmap(cq) }()
	entries, err := mapRing(ring, 0x10000000)
	if err != nil {
		return 0, err
	}
	defer func() { _ = unix.Munmap(entries) }()
	word := func(area []byte, offset uint32) *uint32 { return (*uint32)(unsafe.Pointer(&area[offset])) }
	*(*uringEntry)(unsafe.Pointer(&entries[0])) = entry
	*word(sq, p.sq.array) = 0
	atomic.StoreUint32(word(sq, p.sq.tail), 1)
	if _, _, errno := unix.Syscall6(unix.SYS_IO_URING_ENTER, ring, 1, 0, 0, 0, 0); errno != 0 {
		return 0, fmt.Errorf("io_uring_enter: %w", errno)
	}
	for atomic.LoadUint32(word(cq, p.cq.tail)) == 0 {
		if done() {
			return 0, nil
		}
		// Completions arrive when the thread enters the kernel.
		time.Sleep(time.Millisecond)
	}
	return int32(*word(cq, p.cq.cqes+8)), nil
}

// mapRing maps the part of an io_uring at an offset.
func mapRing(ring uintptr, offset int64) ([]byte, error) {
	area, err := unix.Mmap(int(ring), offset, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		return nil, fmt.Errorf("mapping the ring: %w", err)
	}
	return area, nil
}
