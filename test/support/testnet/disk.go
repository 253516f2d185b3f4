// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package testnet

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/load"
)

// NewDisk makes a disk of a size, which goes away with the test.
func NewDisk(t testing.TB, size int64) *load.Disk {
	t.Helper()
	return closing(t)(load.NewDisk(size))
}

// NewDiskOver makes a disk over another one.
func NewDiskOver(t testing.TB, other *load.Disk) *load.Disk {
	t.Helper()
	return closing(t)(load.NewDiskOver(other))
}

// NewDiskWithRoom makes a disk that has less room than it says.
func NewDiskWithRoom(t testing.TB, size, room int64) *load.Disk {
	t.Helper()
	return closing(t)(load.NewDiskWithRoom(size, room))
}

func closing(t testing.TB) func(*load.Disk, error) *load.Disk {
	return func(disk *load.Disk, err error) *load.Disk {
		t.Helper()
		require.NoError(t, err, "making a disk")
		t.Cleanup(func() { require.NoError(t, disk.Close(), "closing a disk") })
		return disk
	}
}

// DiskStat is what the kernel says that a disk has done since an earlier time.
func DiskStat(t testing.TB, disk *load.Disk, before load.DiskStat) load.DiskStat {
	t.Helper()
	now, err := disk.Stat()
	require.NoError(t, err)
	return now.Since(before)
}

// LimitDisk limits what processes in the cgroup, in which there is none yet, may do with a disk; those that come are to be
// added.
func LimitDisk(t testing.TB, c *Cgroup, disk *load.Disk, bytesPerSecond int) *load.DiskLimit {
	t.Helper()
	limit, err := load.LimitDisk(c.Path, disk, bytesPerSecond)
	if err != nil {
		Skip(t, err.Error())
	}
	t.Cleanup(func() { _ = limit.Close() })
	return limit
}
