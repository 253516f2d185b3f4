// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package testhost

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// DiskStat is the kernel's own count of a disk's operations and bytes.
type DiskStat struct {
	Reads, ReadBytes, Writes, WrittenBytes, Discards, DiscardedBytes, Flushes int
}

func (d *Disk) stat() (s DiskStat, err error) {
	text, err := os.ReadFile(filepath.Join("/sys/block", d.Name, "stat"))
	if err != nil {
		return s, err
	}
	// The format is in Documentation/block/stat.rst.
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

// StatSince returns the kernel's counts since an earlier reading; all of them since the zero value.
func (d *Disk) StatSince(t testing.TB, before DiskStat) DiskStat {
	t.Helper()
	s, err := d.stat()
	require.NoError(t, err)
	return DiskStat{
		Reads: s.Reads - before.Reads, ReadBytes: s.ReadBytes - before.ReadBytes,
		Writes: s.Writes - before.Writes, WrittenBytes: s.WrittenBytes - before.WrittenBytes,
		Discards: s.Discards - before.Discards, DiscardedBytes: s.DiscardedBytes - before.DiscardedBytes,
		Flushes: s.Flushes - before.Flushes,
	}
}

// Resize changes the size of a disk on a file. A disk on top of this one keeps its size: it splits a read beyond the end into
// parts, and only the first one succeeds.
func (d *Disk) Resize(size int64) error {
	if err := d.backing.Truncate(size); err != nil {
		return err
	}
	return unix.IoctlSetInt(int(d.device.Fd()), unix.LOOP_SET_CAPACITY, 0)
}

// InFlight returns the number of reads and writes that have begun and not completed.
func (d *Disk) InFlight() (n int, err error) {
	text, err := os.ReadFile(filepath.Join("/sys/block", d.Name, "inflight"))
	if err != nil {
		return 0, err
	}
	for field := range strings.FieldsSeq(string(text)) {
		count, err := strconv.Atoi(field)
		if err != nil {
			return 0, err
		}
		n += count
	}
	return n, nil
}

// SetQueue sets an attribute of the disk's request queue, such as its scheduler.
func (d *Disk) SetQueue(name, value string) error {
	return write(filepath.Join("/sys/block", d.Name, "queue", name), value)
}
