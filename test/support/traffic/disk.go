// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package traffic

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/load"
)

// DiskWork is work that was done with a disk: when, and with what error.
type DiskWork struct {
	Span
	Errno unix.Errno
}

type diskArgs struct {
	Work   load.DiskWork
	Path   string
	Offset int64
	Size   int
	Times  int
}

var diskWork = Define("disk.work", func(args diskArgs) (DiskWork, error) {
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
	return DiskWork{span, errno}, err
})

// WorkDisk has the agent do something with so many bytes of a disk, a number of times.
func (a *Agent) WorkDisk(disk *load.Disk, work load.DiskWork, offset int64, size, times int) DiskWork {
	a.t.Helper()
	return diskWork.Call(a, diskArgs{work, disk.Path, offset, size, times})
}
