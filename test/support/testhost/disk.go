// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package testhost

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// loopMajor is the major number of loop devices.
const loopMajor = 7

// Disk is a loop device for one test.
type Disk struct {
	// Name is the kernel's name of the device. Path is a device node that everybody may use.
	Name, Path string
	// number is the minor number of the loop device.
	number int
	// device keeps the loop device alive. backing is its backing file.
	device, backing *os.File
	dir             string
}

// MakeDisk makes a disk on a new file of this size.
func MakeDisk(size int64) (*Disk, error) {
	return makeDisk(func(dir string) (*os.File, error) {
		file, err := os.Create(filepath.Join(dir, "content"))
		if err != nil {
			return nil, err
		}
		return file, file.Truncate(size)
	}, 0)
}

// NewDisk makes a disk on a new file of this size.
func NewDisk(t testing.TB, size int64) *Disk {
	t.Helper()
	return closing(t)(MakeDisk(size))
}

// NewDiskWithRoom makes a disk of which only room bytes can be written; further writes fail.
func NewDiskWithRoom(t testing.TB, size, room int64) *Disk {
	t.Helper()
	return closing(t)(makeDisk(func(dir string) (*os.File, error) {
		if err := unix.Mount("none", dir, "tmpfs", 0, "mode=755,size="+strconv.FormatInt(room, 10)); err != nil {
			return nil, fmt.Errorf("mount a tmpfs: %w", err)
		}
		file, err := os.Create(filepath.Join(dir, "content"))
		if err != nil {
			return nil, err
		}
		return file, file.Truncate(size)
	}, 0))
}

// NewDiskOver makes a disk on top of another one. It passes all operations on, without a cache.
func NewDiskOver(t testing.TB, other *Disk) *Disk {
	t.Helper()
	return closing(t)(makeDisk(func(string) (*os.File, error) {
		return os.OpenFile(other.Path, os.O_RDWR|unix.O_DIRECT, 0)
	}, unix.LO_FLAGS_DIRECT_IO))
}

func closing(t testing.TB) func(*Disk, error) *Disk {
	return func(disk *Disk, err error) *Disk {
		t.Helper()
		require.NoError(t, err, "making a disk")
		t.Cleanup(func() { require.NoError(t, disk.Close(), "closing a disk") })
		return disk
	}
}

func makeDisk(open func(dir string) (*os.File, error), flags uint32) (_ *Disk, err error) {
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
	// Others may take the same free device at the same time.
	for range 100 {
		if err = d.attach(flags); !errors.Is(err, unix.EBUSY) {
			break
		}
	}
	return d, err
}

// attach takes a free loop device.
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
		return 0, fmt.Errorf("get a free loop device: %w", errno)
	}
	return int(result), nil
}

// Close frees the loop device and removes its backing file.
func (d *Disk) Close() error {
	var errs []error
	for _, f := range []*os.File{d.device, d.backing} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	d.device, d.backing = nil, nil
	// The loop device uses the mounted file system until it is detached.
	_ = unix.Unmount(d.dir, unix.MNT_DETACH)
	return errors.Join(append(errs, os.RemoveAll(d.dir))...)
}

// Remove removes the device of a closed disk from the kernel.
func (d *Disk) Remove() error {
	_, err := loopControl(unix.LOOP_CTL_REMOVE, d.number)
	return err
}
