// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package traffic

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
)

// DiskWork is a kind of operation on a disk.
type DiskWork string

// The operations on a disk.
const (
	// DiskRead and DiskWrite bypass the page cache. Each is one operation.
	DiskRead  DiskWork = "read"
	DiskWrite DiskWork = "write"
	// DiskWriteBack writes to the page cache, and then calls fsync.
	DiskWriteBack DiskWork = "write back"
	// DiskReadThirds is DiskRead in three parts that the kernel can merge. The middle part comes last.
	DiskReadThirds DiskWork = "read thirds"
	DiskFlush      DiskWork = "flush"
	DiskDiscard    DiskWork = "discard"
)

// Do does the work with size bytes of a disk, from an offset on.
func (w DiskWork) Do(path string, offset int64, size int) (err error) {
	flags := os.O_RDWR
	if w == DiskRead || w == DiskWrite || w == DiskReadThirds {
		flags |= unix.O_DIRECT
	}
	disk, err := os.OpenFile(path, flags, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, disk.Close()) }()
	switch w {
	case DiskRead, DiskWrite, DiskWriteBack, DiskReadThirds:
		return w.move(disk, offset, size)
	case DiskFlush:
		return disk.Sync()
	case DiskDiscard:
		span := [2]uint64{uint64(offset), uint64(size)}
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, disk.Fd(), unix.BLKDISCARD, uintptr(unsafe.Pointer(&span))); errno != 0 {
			return fmt.Errorf("discard: %w", errno)
		}
		return nil
	default:
		return fmt.Errorf("no such work: %s", w)
	}
}

func (w DiskWork) move(disk *os.File, offset int64, size int) error {
	// O_DIRECT needs page-aligned memory.
	data, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Munmap(data) }()
	if w == DiskReadThirds {
		return readThirds(disk, data, offset)
	}
	if w == DiskRead {
		_, err = disk.ReadAt(data, offset)
		return err
	}
	if _, err = disk.WriteAt(data, offset); err != nil || w == DiskWrite {
		return err
	}
	return disk.Sync()
}

// DiskDone has the time and the error of an operation on a disk.
type DiskDone struct {
	Span
	Errno unix.Errno
}

type diskArgs struct {
	Work   DiskWork
	Path   string
	Offset int64
	Size   int
	Times  int
}

var diskWork = Define("disk.work", func(args diskArgs) (DiskDone, error) {
	var errno unix.Errno
	span, _, err := timed(func() error {
		for range args.Times {
			if err := args.Work.Do(args.Path, args.Offset, args.Size); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.As(err, &errno) {
		err = nil
	}
	return DiskDone{span, errno}, err
})

// WorkDisk does the work with size bytes of a disk, a number of times.
func (a *Agent) WorkDisk(disk *testhost.Disk, work DiskWork, offset int64, size, times int) DiskDone {
	a.t.Helper()
	return diskWork.Call(a, diskArgs{work, disk.Path, offset, size, times})
}
