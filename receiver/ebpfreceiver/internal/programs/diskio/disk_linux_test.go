// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package diskio

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// disk is a loop device of one test.
type disk struct {
	// name is the device's name in the kernel, path its device node.
	name, path string
	device     *os.File
	backing    *os.File
}

// newDisk creates a disk backed by a new file of that size.
func newDisk(t *testing.T, size int64) *disk {
	t.Helper()
	backing, err := os.Create(filepath.Join(t.TempDir(), "content"))
	require.NoError(t, err)
	require.NoError(t, backing.Truncate(size))
	return attachDisk(t, backing, 0)
}

// newDiskOver creates a disk on top of another one, without a cache of its own.
func newDiskOver(t *testing.T, other *disk) *disk {
	t.Helper()
	backing, err := os.OpenFile(other.path, os.O_RDWR|unix.O_DIRECT, 0)
	require.NoError(t, err)
	return attachDisk(t, backing, unix.LO_FLAGS_DIRECT_IO)
}

// attachDisk attaches a free loop device, and detaches it after the test.
func attachDisk(t *testing.T, backing *os.File, flags uint32) *disk {
	t.Helper()
	t.Cleanup(func() { require.NoError(t, backing.Close()) })
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	require.NoError(t, err)
	defer func() { require.NoError(t, control.Close()) }()
	for {
		number, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		require.NoError(t, err)
		d := &disk{name: "loop" + strconv.Itoa(number), backing: backing}
		d.path = filepath.Join(t.TempDir(), d.name)
		const loopMajor = 7
		require.NoError(t, unix.Mknod(d.path, unix.S_IFBLK|0o600, int(unix.Mkdev(loopMajor, uint32(number)))))
		d.device, err = os.OpenFile(d.path, os.O_RDWR, 0)
		require.NoError(t, err)
		config := &unix.LoopConfig{Fd: uint32(backing.Fd())}
		config.Info.Flags = flags | unix.LO_FLAGS_AUTOCLEAR
		err = unix.IoctlLoopConfigure(int(d.device.Fd()), config)
		if errors.Is(err, unix.EBUSY) { // another process may take the same free device
			require.NoError(t, d.device.Close())
			continue
		}
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, d.device.Close()) })
		return d
	}
}

// resize changes the size of the file behind a disk. A disk on top keeps its size.
func (d *disk) resize(t *testing.T, size int64) {
	t.Helper()
	require.NoError(t, d.backing.Truncate(size))
	require.NoError(t, unix.IoctlSetInt(int(d.device.Fd()), unix.LOOP_SET_CAPACITY, 0))
}

// operate makes the disk perform one operation at an offset, bypassing the page cache: "read", "write", "flush" or
// "discard".
func (d *disk) operate(t *testing.T, operation string, offset int64, size int) error {
	t.Helper()
	file, err := os.OpenFile(d.path, os.O_RDWR|unix.O_DIRECT, 0)
	require.NoError(t, err)
	defer func() { require.NoError(t, file.Close()) }()
	// O_DIRECT needs aligned memory, which mmap returns.
	data, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	require.NoError(t, err)
	defer func() { require.NoError(t, unix.Munmap(data)) }()
	switch operation {
	case "read":
		_, err = file.ReadAt(data, offset)
	case "write":
		_, err = file.WriteAt(data, offset)
	case "flush":
		err = file.Sync()
	case "discard":
		span := [2]uint64{uint64(offset), uint64(size)}
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, file.Fd(), unix.BLKDISCARD, uintptr(unsafe.Pointer(&span))); errno != 0 {
			err = errno
		}
	default:
		require.FailNow(t, "no such operation", operation)
	}
	return err
}
