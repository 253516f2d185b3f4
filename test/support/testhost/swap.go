// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package testhost

import (
	"encoding/binary"
	"os"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// AddSwap adds a swap file of this size until the test ends.
func AddSwap(t testing.TB, bytes int64) {
	t.Helper()
	disk := NewDisk(t, bytes)
	page := int64(os.Getpagesize())
	// The first page describes the swap area, after room for a boot loader: version, last page, number of bad pages.
	header := make([]byte, page)
	binary.NativeEndian.PutUint32(header[1024:], 1)
	binary.NativeEndian.PutUint32(header[1028:], uint32(bytes/page-1))
	copy(header[page-10:], "SWAPSPACE2")
	require.NoError(t, os.WriteFile(disk.Path, header, 0))
	path, err := unix.BytePtrFromString(disk.Path)
	require.NoError(t, err)
	swap := func(call uintptr) {
		_, _, errno := unix.Syscall(call, uintptr(unsafe.Pointer(path)), 0, 0)
		require.Zero(t, errno, "%s", errno)
	}
	swap(unix.SYS_SWAPON)
	t.Cleanup(func() { swap(unix.SYS_SWAPOFF) })
}
