// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package testhost

import (
	"fmt"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
)

// DiskLimit limits how much some processes may read from and write to a disk, per second.
type DiskLimit struct{ group controlled }

// NewDiskLimit limits the disk use of a cgroup without processes. Use Add for the processes to limit.
func NewDiskLimit(t testing.TB, c *Cgroup, disk *Disk, bytesPerSecond int) *DiskLimit {
	t.Helper()
	group, err := openControlled(c.Path, "io", "blkio")
	if err != nil {
		testenv.Missing(t, err.Error())
	}
	t.Cleanup(func() { _ = group.close() })
	device := fmt.Sprintf("%d:%d", loopMajor, disk.number)
	settings := map[string]string{"io.max": fmt.Sprintf("%s rbps=%d wbps=%[2]d", device, bytesPerSecond)}
	if group.v1 {
		limit := device + " " + strconv.Itoa(bytesPerSecond)
		settings = map[string]string{"blkio.throttle.read_bps_device": limit, "blkio.throttle.write_bps_device": limit}
	}
	for name, value := range settings {
		require.NoError(t, write(filepath.Join(group.dir, name), value), "limiting a disk")
	}
	return &DiskLimit{group}
}

// Charges reports whether the kernel charges disk operations to version 2 cgroups.
func (l *DiskLimit) Charges() bool { return !l.group.v1 }

// Add limits a process from now on.
func (l *DiskLimit) Add(pid int) error { return l.group.add(pid) }
