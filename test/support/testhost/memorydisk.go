// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package testhost

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// NewMemoryDisk makes a disk in compressed memory (zram). Its driver works on bios, without requests. ok is false if this
// kernel has no zram.
func NewMemoryDisk(t testing.TB, size int64) (disk *Disk, ok bool) {
	t.Helper()
	_ = exec.Command("modprobe", "zram").Run() // it may be loaded already, or built in
	number, err := os.ReadFile("/sys/class/zram-control/hot_add")
	if errors.Is(err, os.ErrNotExist) {
		return nil, false
	}
	require.NoError(t, err)
	name := "zram" + strings.TrimSpace(string(number))
	write := func(path, value string) { require.NoError(t, os.WriteFile(path, []byte(value), 0o200)) }
	in := func(file string) string { return filepath.Join("/sys/block", name, file) }
	t.Cleanup(func() {
		write(in("reset"), "1")
		write("/sys/class/zram-control/hot_remove", strings.TrimPrefix(name, "zram"))
	})
	write(in("disksize"), strconv.FormatInt(size, 10))

	device, err := os.ReadFile(in("dev"))
	require.NoError(t, err)
	major, minor, _ := strings.Cut(strings.TrimSpace(string(device)), ":")
	path := filepath.Join(NewFolder(t), name)
	require.NoError(t, unix.Mknod(path, unix.S_IFBLK|0o666, int(unix.Mkdev(parse(t, major), parse(t, minor)))))
	require.NoError(t, os.Chmod(path, 0o666))
	return &Disk{Name: name, Path: path}, true
}

func parse(t testing.TB, number string) uint32 {
	t.Helper()
	n, err := strconv.ParseUint(number, 10, 32)
	require.NoError(t, err)
	return uint32(n)
}
