// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// loopMajor is the major number of loop devices.
const loopMajor = 7

// Disk is a loop device of its own, of which nobody else knows.
type Disk struct {
	// Name is the device's name in the kernel, Path a node of it that everybody may use.
	Name, Path string
	// number is that of the loop device.
	number int
	// device keeps the loop device alive, backing is what is behind it.
	device, backing *os.File
	dir             string
}

// NewDisk makes a disk over a new file of a size.
func NewDisk(size int64) (*Disk, error) {
	return newDisk(func(dir string) (*os.File, error) {
		file, err := os.Create(filepath.Join(dir, "content"))
		if err != nil {
			return nil, err
		}
		return file, file.Truncate(size)
	}, 0)
}

// NewDiskWithRoom makes a disk of a size that has only so much room for what is written to it.
func NewDiskWithRoom(size, room int64) (*Disk, error) {
	return newDisk(func(dir string) (*os.File, error) {
		if err := unix.Mount("none", dir, "tmpfs", 0, "mode=755,size="+strconv.FormatInt(room, 10)); err != nil {
			return nil, fmt.Errorf("mount a tmpfs: %w", err)
		}
		file, err := os.Create(filepath.Join(dir, "content"))
		if err != nil {
			return nil, err
		}
		return file, file.Truncate(size)
	}, 0)
}

// NewDiskOver makes a disk over another one, to which it hands on what it is asked to do without keeping anything.
func NewDiskOver(other *Disk) (*Disk, error) {
	return newDisk(func(string) (*os.File, error) {
		return os.OpenFile(other.Path, os.O_RDWR|unix.O_DIRECT, 0)
	}, unix.LO_FLAGS_DIRECT_IO)
}

func newDisk(open func(dir string) (*os.File, error), flags uint32) (_ *Disk, err error) {
	d := &Disk{number: -1}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Close())
		}
	}()
	if d.dir, err = os.MkdirTemp("", "test-disk"); err != nil {
		return nil, err
	}
	if err = os.Chmod(d.dir, 0o755); err != nil {
		return nil, err
	}
	if d.backing, err = open(d.dir); err != nil {
		return nil, err
	}
	// Others may take the same free one at the same time.
	for range 100 {
		if err = d.attach(flags); !errors.Is(err, unix.EBUSY) {
			break
		}
	}
	return d, err
}

// attach takes a loop device that is free.
func (d *Disk) attach(flags uint32) error {
	number, err := loopControl(unix.LOOP_CTL_GET_FREE, 0)
	if err != nil {
		return err
	}
	name := "loop" + strconv.Itoa(number)
	path := filepath.Join(d.dir, name)
	if err := unix.Mknod(path, unix.S_IFBLK|0o666, int(unix.Mkdev(loopMajor, uint32(number)))); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("make a node of %s: %w", name, err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		return err
	}
	device, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	config := &unix.LoopConfig{Fd: uint32(d.backing.Fd())}
	config.Info.Flags = flags | unix.LO_FLAGS_AUTOCLEAR
	if err := unix.IoctlLoopConfigure(int(device.Fd()), config); err != nil {
		return errors.Join(fmt.Errorf("configure %s: %w", name, err), device.Close())
	}
	d.Name, d.Path, d.number, d.device = name, path, number, device
	return nil
}

func loopControl(command uint, argument int) (int, error) {
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer func() { _ = control.Close() }()
	result, _, errno := unix.Syscall(unix.SYS_IOCTL, control.Fd(), uintptr(command), uintptr(argument))
	if errno != 0 {
		return 0, fmt.Errorf("ask for a loop device: %w", errno)
	}
	return int(result), nil
}

// Close gives the loop device back and removes what is behind it.
func (d *Disk) Close() error {
	var errs []error
	for _, f := range []*os.File{d.device, d.backing} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	d.device, d.backing = nil, nil
	// The loop device holds what is mounted until it is gone.
	_ = unix.Unmount(d.dir, unix.MNT_DETACH)
	return errors.Join(append(errs, os.RemoveAll(d.dir))...)
}

// Remove removes a closed disk's device from the kernel.
func (d *Disk) Remove() error {
	_, err := loopControl(unix.LOOP_CTL_REMOVE, d.number)
	return err
}

// DiskStat is what the kernel itself says that a disk has done: operations, and bytes of them.
type DiskStat struct {
	Reads, ReadBytes, Writes, WrittenBytes, Discards, DiscardedBytes, Flushes int
}

// Stat returns what the kernel says that the disk has done.
func (d *Disk) Stat() (s DiskStat, err error) {
	text, err := os.ReadFile(filepath.Join("/sys/block", d.Name, "stat"))
	if err != nil {
		return s, err
	}
	// Documentation/block/stat.rst.
	fields := strings.Fields(string(text))
	for i, value := range map[int]*int{
		0: &s.Reads, 2: &s.ReadBytes, 4: &s.Writes, 6: &s.WrittenBytes, 11: &s.Discards, 13: &s.DiscardedBytes, 15: &s.Flushes,
	} {
		if *value, err = strconv.Atoi(fields[i]); err != nil {
			return s, err
		}
	}
	const sector = 512
	s.ReadBytes, s.WrittenBytes, s.DiscardedBytes = s.ReadBytes*sector, s.WrittenBytes*sector, s.DiscardedBytes*sector
	return s, nil
}

// Since returns what was done after an earlier Stat.
func (s DiskStat) Since(before DiskStat) DiskStat {
	return DiskStat{
		Reads: s.Reads - before.Reads, ReadBytes: s.ReadBytes - before.ReadBytes,
		Writes: s.Writes - before.Writes, WrittenBytes: s.WrittenBytes - before.WrittenBytes,
		Discards: s.Discards - before.Discards, DiscardedBytes: s.DiscardedBytes - before.DiscardedBytes,
		Flushes: s.Flushes - before.Flushes,
	}
}

// DiskWork is something to do with a disk.
type DiskWork string

// What can be done with a disk.
const (
	// DiskRead and DiskWrite go to the disk at once, each as one operation.
	DiskRead  DiskWork = "read"
	DiskWrite DiskWork = "write"
	// DiskWriteBack writes to memory, and from there to the disk, which is told to flush then.
	DiskWriteBack DiskWork = "write back"
	// DiskReadThirds reads as DiskRead does, but in three parts that the kernel can merge, the one in the middle last.
	DiskReadThirds DiskWork = "read thirds"
	DiskFlush      DiskWork = "flush"
	DiskDiscard    DiskWork = "discard"
)

// Do does the work with so many bytes of the disk of a path, from an offset on.
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
	// Memory that begins with a page, as O_DIRECT wants it.
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
