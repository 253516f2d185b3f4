// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// DiskLimit is a limit of what some processes may read from a disk, and write to it, in a second.
type DiskLimit struct{ group controlled }

// LimitDisk limits so many bytes a second, for processes in a cgroup as LimitMemory does.
func LimitDisk(path string, disk *Disk, bytesPerSecond int) (*DiskLimit, error) {
	group, err := openControlled(path, "io", "blkio")
	if err != nil {
		return nil, err
	}
	l := &DiskLimit{group}
	device := fmt.Sprintf("%d:%d", loopMajor, disk.number)
	settings := map[string]string{"io.max": fmt.Sprintf("%s rbps=%d wbps=%[2]d", device, bytesPerSecond)}
	if group.v1 {
		limit := device + " " + strconv.Itoa(bytesPerSecond)
		settings = map[string]string{"blkio.throttle.read_bps_device": limit, "blkio.throttle.write_bps_device": limit}
	}
	for name, value := range settings {
		if err := write(filepath.Join(group.dir, name), value); err != nil {
			return nil, errors.Join(err, l.Close())
		}
	}
	return l, nil
}

// Charges is whether the kernel charges operations of disks to cgroups of version 2.
func (l *DiskLimit) Charges() bool { return !l.group.v1 }

// Add limits a process from here on.
func (l *DiskLimit) Add(pid int) error {
	return write(filepath.Join(l.group.dir, "cgroup.procs"), strconv.Itoa(pid))
}

// Close removes the cgroup if it was made for the limit; no process may be left in it.
func (l *DiskLimit) Close() error {
	if !l.group.made {
		return nil
	}
	return unix.Rmdir(l.group.dir)
}
