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

// DiskStat is what the kernel itself says that a disk has done: operations, and bytes of them.
type DiskStat struct {
	Reads, ReadBytes, Writes, WrittenBytes, Discards, DiscardedBytes, Flushes int
}

func (d *Disk) stat() (s DiskStat, err error) {
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

// StatSince returns what the kernel says that the disk has done after an earlier time; since the zero value it is all.
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

// Resize gives a disk over a file another size. A disk over this one keeps its own size: it reads over the end in parts,
// of which only the first succeeds.
func (d *Disk) Resize(size int64) error {
	if err := d.backing.Truncate(size); err != nil {
		return err
	}
	return unix.IoctlSetInt(int(d.device.Fd()), unix.LOOP_SET_CAPACITY, 0)
}

// InFlight returns how many reads and writes of the disk have begun and not completed.
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

// SetQueue sets a setting of the disk's request queue, such as its scheduler.
func (d *Disk) SetQueue(name, value string) error {
	return write(filepath.Join("/sys/block", d.Name, "queue", name), value)
}
