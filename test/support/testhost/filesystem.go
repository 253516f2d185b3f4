// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package testhost

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// NewFolder makes a folder that every user may write to, on the file system of temporary files.
func NewFolder(t testing.TB) string {
	t.Helper()
	// The kernel reports paths without symbolic links.
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	for above := dir; above != os.TempDir() && above != "/"; above = filepath.Dir(above) {
		require.NoError(t, os.Chmod(above, 0o777))
	}
	return dir
}

// NewTmpfs is NewFolder on a tmpfs.
func NewTmpfs(t testing.TB) string {
	t.Helper()
	dir := NewFolder(t)
	mount(t, "tmpfs", dir, "mode=777")
	return dir
}

// NewOverlay is NewFolder on an overlay of two folders of a tmpfs. ok is false if the kernel has no overlayfs.
func NewOverlay(t testing.TB) (dir string, ok bool) {
	t.Helper()
	below, dir := NewTmpfs(t), NewFolder(t)
	for _, name := range []string{"lower", "upper", "work"} {
		require.NoError(t, os.Mkdir(filepath.Join(below, name), 0o777))
		require.NoError(t, os.Chmod(filepath.Join(below, name), 0o777))
	}
	for _, name := range []string{"lower-file", "lower-file-2"} {
		require.NoError(t, os.WriteFile(filepath.Join(below, "lower", name), nil, 0o666))
	}
	options := fmt.Sprintf("lowerdir=%[1]s/lower,upperdir=%[1]s/upper,workdir=%[1]s/work", below)
	err := unix.Mount("overlay", dir, "overlay", 0, options)
	if errors.Is(err, unix.ENODEV) {
		return "", false
	}
	require.NoError(t, err, "mounting an overlay")
	t.Cleanup(func() { require.NoError(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	return dir, true
}

// Bind mounts a folder at a second place, and returns that place.
func Bind(t testing.TB, from string) string {
	t.Helper()
	dir := NewFolder(t)
	require.NoError(t, unix.Mount(from, dir, "", unix.MS_BIND, ""), "binding %s", from)
	t.Cleanup(func() { require.NoError(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	return dir
}

func mount(t testing.TB, kind, dir, options string) {
	t.Helper()
	require.NoError(t, unix.Mount(kind, dir, kind, 0, options), "mounting %s", kind)
	t.Cleanup(func() { require.NoError(t, unix.Unmount(dir, unix.MNT_DETACH)) })
}
