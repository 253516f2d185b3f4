// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package store

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// acquire locks a file until it is closed. The kernel also unlocks it when the process ends in any way.
func acquire(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder, _ := os.ReadFile(path)
		_ = file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%s is locked by the process %s: a directory belongs to one exporter, give this one its own",
				path, strings.TrimSpace(string(holder)))
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	if err := file.Truncate(0); err == nil {
		_, _ = fmt.Fprintln(file, os.Getpid()) // only for the message above
	}
	return file, nil
}

// diskSize returns the size of the file system and how much of it is free.
func diskSize(directory string) (total, free int64, ok bool) {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(directory, &stat); err != nil {
		return 0, 0, false
	}
	return int64(stat.Blocks * uint64(stat.Bsize)), int64(stat.Bavail * uint64(stat.Bsize)), true
}

func isNoSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
